import Config
import Connection
import Core
import HTTP
import IO
import Routing
import Telemetry
import Upstream

/// One request with its response, between a downstream and an upstream connection.
///
///     routing ─▶ (admitting) ─▶ connecting ─▶ awaitingHead ─▶ relaying ─▶ over          (an idle connection skips `connecting`)
///        │            ▲  │          │  └─ 101 ─▶ tunnel ─▶ over
///        │            │  └──────────┴─ failed, may be sent again ─▶ backingOff ─▶ connecting
///        └────────────┴─ the gateway answers itself ─▶ answering ─▶ over
///
/// Before `connecting` it may wait for a permit of the backend's circuit breaker (`queued`).
///
/// Owns the two connections while it lasts, itself included (`whileActive`); afterwards it waits, empty, for the next
/// request. Every event ends in ``advance()``, which does whatever both sides allow now. Split by topic: routing, the way
/// up, the way down, the end.
final class Exchange: ConnectionOwner {
    enum Phase: UInt8 {
        case over, routing, admitting, resolving, connecting, awaitingHead, relaying, tunnel, backingOff, answering,
            queued
    }

    let worker: Worker
    var whileActive: Exchange?
    var phase = Phase.over
    var downstream: ServerStream?
    var upstream: ClientStream?

    // What was decided.
    var configuration: LiveConfiguration?
    var decision = RouteDecision.undecided
    var rule: UnsafePointer<RuleConfig>?
    /// The member that is called through a group's gateway; nil: none.
    var call: MemberCall?
    var backend: UnsafePointer<BackendConfig>?
    var cluster: Cluster?
    var endpoint: Endpoint?
    /// The policy of the connection's listener; nil: none.
    var client: UnsafePointer<ClientTrafficConfig>?
    /// Whose request it is, where a policy's rules have found that out; see ``clientAddress``.
    var detectedClient: SocketAddress?
    /// The client speaks gRPC: our own answers must, too.
    var isGRPC = false
    /// The client speaks gRPC-Web.
    var grpcWeb: GRPCWebCall?
    /// The normalised path when it differs from the one sent; else empty.
    var normalisedPath = ByteBuffer()
    /// A request id of our own, when the client sent none that can be used.
    var ownRequestID = ByteBuffer()

    /// Whole lines that are added to the response's head, whoever makes it: what limits, persistence and the like have to say.
    var addedResponseFields = ByteBuffer()

    /// Fields that go on through its calls; empty: none do.
    var carried = Table<CarriedFieldConfig>()
    /// What the limits of its rule have to do with it.
    var limits = LimitUse()
    /// What it has to do with what a group's calls share.
    var fair = FairUse()
    var fairPlaceIfMade: ExchangePlace?
    /// The group whose call to a host outside it is; ``ListenerConfig/noGroup``: it is none.
    var outsideOf = ListenerConfig.noGroup
    /// What the client has shown of a session that persists.
    var session = SessionProgress()
    // What filters and policies have to remember; each topic has a file of its own.
    /// An injected delay ends then.
    var faultDeadline = Instant.distantFuture
    /// The whole target that an expression has made; empty: none has.
    var rewrittenTarget = ByteBuffer()
    /// What is left of an answer's body, which lies in the snapshot or in ``answerText``.
    var answerBody = ByteView.empty
    /// The body of an answer that depends on the request; between answers, memory for other texts.
    var answerText = ByteBuffer()
    var answersInPieces = false
    /// The answer is what `responseOverride` made.
    var isOverridden = false
    /// The rest of the request is awaited before a backend is chosen.
    var isBuffering = false
    /// We have told the client ourselves to send its body.
    var continueWasSent = false
    var contentEdit = ContentEdit.none
    var compressedBody: CompressedBody?
    /// The protocol besides websocket that the request upgrades to, as the policy names it.
    var otherUpgrade = TextRef()

    // How far it is.
    /// The ``AdmissionStage`` that comes next.
    var nextStage: UInt8 = 0
    /// The request, body included, has been handed to the upstream connection.
    var requestSent = false
    /// The upstream connection takes nothing more of the request; what it has said is still read.
    var sendingHasFailed = false
    var requestBody: UInt64 = 0
    var responseBody: UInt64 = 0
    var recorder: BodyRecorder?
    /// That of an earlier request, empty.
    var spareRecorder: BodyRecorder?
    /// Octets of the recorder's that this attempt has sent again.
    var replayed = 0
    var tunnelRequestEnded = false
    var tunnelResponseEnded = false
    var upstreamPersists = false

    // Balancing.
    /// Endpoints that attempts went to.
    var tried = TriedEndpoints()
    /// The breaker whose permit for a request is held.
    var permit: Breaker?
    /// The breaker whose permit for a retry the attempt under way holds; that which the next one will hold.
    var retryPermit: Breaker?
    var nextRetryPermit: Breaker?
    /// Of what consistent hashing looks at, once it was asked for.
    var requestHash: UInt64?
    var isHashed = false
    /// What waits in the breaker's line is an attempt on a new connection to the same endpoint.
    var waitsForFresh = false
    private(set) var waitingPlaceIfMade: WaitingPlace?
    var waitingPlace: WaitingPlace {
        if let waitingPlaceIfMade { return waitingPlaceIfMade }
        // A place outlives no exchange, which leaves the line before it ends.
        let made = WaitingPlace { [unowned self] in permitMayBeFree() }
        waitingPlaceIfMade = made
        return made
    }

    // Attempts.
    var attempts: UInt32 = 0
    /// The second of two attempts at once; made when the first is wanted, and kept.
    var hedge: Hedge?
    var connectFailures = 0
    /// One of them was for want of something here (a descriptor, a place), which says nothing of the endpoint.
    var lacksMeans = false
    var retriesLeft: UInt32 = 0
    /// Attempts that a policy asked for.
    var retriesMade: UInt32 = 0
    var replayedOnFresh = false
    /// What had passed on the upstream connection before this attempt.
    var sentBefore: UInt64 = 0
    var receivedBefore: UInt64 = 0
    var attemptStarted = Instant(nanoseconds: 0)
    /// What the present attempt's response says of its endpoint has been told, at its head.
    var outcomeIsTold = false

    // The way out.
    /// It goes to the central gateway.
    var isHandedOn = false
    /// No central gateway has answered: it is tried no more.
    var mayNotBeHandedOn = false
    /// Its own backend was not asked, because it could not be reached a moment ago.
    var localIsUntried = false
    var localCluster: Cluster?
    var fallbackAttemptsLeft = 0

    // For the record.
    var startedAt = Instant(nanoseconds: 0)
    var startedWall: Int64 = 0
    var headAt = Instant(nanoseconds: 0)
    var status: UInt16 = 0
    var reason = ReasonCode.none
    /// More words on the reason, for the access log; the text of some answers.
    var detail = ByteBuffer()
    /// The AUDIT policies that it matched; only where ``detail`` says something, too.
    var audits = ByteBuffer()

    // Deadlines, all of them watched by the one timer of this object.
    var lastProgress = Instant(nanoseconds: 0)
    /// How long nothing may move, where a policy says so; else zero.
    var streamIdle = TimeAmount.zero
    /// By when the request must have come whole.
    var receivedDeadline = Instant.distantFuture
    /// By when all must be over.
    var durationDeadline = Instant.distantFuture
    var requestDeadline = Instant.distantFuture
    /// ``requestDeadline`` is the client's own word (gRPC).
    var isDeadlineClients = false
    /// `maxStreamDuration`.
    var streamDeadline = Instant.distantFuture
    /// Of the present attempt, or of the back-off before the next.
    var attemptDeadline = Instant.distantFuture
    var connectDeadline = Instant.distantFuture
    /// When another endpoint is asked too.
    var hedgeDeadline = Instant.distantFuture
    var halfClosedDeadline = Instant.distantFuture
    /// `streamIdleTimeout` of a policy, where one is written.
    var ownStreamIdle = TimeLimitConfig.none

    init(worker: Worker) {
        self.worker = worker
        super.init()
    }

    var snapshot: Snapshot {
        guard let configuration else { preconditionFailure("an exchange without configuration") }
        return configuration.snapshot
    }

    // MARK: the beginning

    func begin(on connection: ServerStream) {
        start(connection)
        route(connection)
        if worker.isWorking {
            worker.endWork()
            noteOctets()
        }
    }

    /// Answers what the parser refused.
    func refuse(on connection: ServerStream, status: UInt16, reason: StaticString) {
        start(connection)
        answer(status, .downstreamProtocolError, reason)
    }

    private func start(_ connection: ServerStream) {
        precondition(phase == .over, "an exchange began before its last one ended")
        whileActive = self
        phase = .routing
        downstream = connection
        connection.owner = self
        configuration = worker.configuration
        startedAt = worker.loop.now
        startedWall = worker.loop.wallNow
        lastProgress = startedAt
        streamIdle = .zero
        worker.statistics.increment(.requestsNow)
    }

    // MARK: events

    override func readable(_ connection: MessageStream) {
        if connection === downstream {
            if connection.isGone, phase != .tunnel { return abandon(.downstreamTermination) }
            if connection.peerFinished, phase != .tunnel, halfClosedDeadline == .distantFuture {
                // The client can still read, but most that do this have gone (a browser's stop button): it has a while.
                halfClosedDeadline = worker.loop.now + worker.limits.halfClosed
                armDeadline()
            }
        }
        if fair.isAdmitted { goOnFairly() } else { advance() }
    }

    override func writable(_ connection: MessageStream) {
        if fair.isAdmitted { goOnFairly() } else { advance() }
    }

    override func connected(_ stream: ClientStream) {
        begin(on: stream)
        if fair.isAdmitted { noteOctets() }
    }

    override func connectFailed(_ failure: ConnectFailure) {
        guard phase == .connecting, let endpoint else { return }
        if case .timedOut = failure { return connectFailed(endpoint, timedOut: true) }
        connectFailed(endpoint)
    }

    override func cut(on stream: ServerStream) { abandon(.localReset) }

    /// Does whatever both sides allow now.
    func advance() {
        switch phase {
        case .awaitingHead:
            if !requestSent, !sendingHasFailed { sendRequest() }
            if phase == .awaitingHead { receiveResponse() }
        case .relaying:
            if !requestSent, !sendingHasFailed { sendRequest() }
            if phase == .relaying { relayResponse() }
        case .tunnel: relayTunnel()
        case .answering: finishAnswer()
        case .admitting: if isBuffering { buffer() }
        case .over, .routing, .resolving, .connecting, .backingOff, .queued: break
        }
    }

    override func deadlinePassed(now: Instant) { checkDeadlines(now) }
}

/// Limits of an exchange where no policy sets them (interface.md's table; docs/protocol.md).
struct ExchangeLimits: BitwiseCopyable {
    var connect = TimeAmount.seconds(10)
    var streamIdle = ConnectionLimits().streamIdle
    /// How long a client that has sent its FIN is still served.
    var halfClosed = TimeAmount.seconds(5)
    /// Mirrors under way at once; what comes on top is not mirrored. A mirror that does not answer must not take the
    /// descriptors of those who do.
    var mirrors = DescriptorShares.mirrors
    /// Between two attempts at least.
    static let leastBackoff = TimeAmount.milliseconds(1)
    /// Endpoints tried when connections cannot be made.
    static let connectAttempts = 3
    /// A `Retry-After` that asks for more is left to the client.
    static let longestRetryAfter = TimeAmount.seconds(30)
    /// Octets of a request's body that are kept to be sent again.
    static let recordedBody = 32 * 1024
    /// Octets of interim responses (1xx) that wait for a client that does not read; further ones are dropped.
    static let interimOctets = 8 * 1024
    /// Interim responses of one backend that are read before others have their turn.
    static let interimsPerTurn = 16
    /// Octets that a mirror may be behind before it is given up.
    static let mirrorBacklog = 64 * 1024
    /// Octets of a request id that is taken from the client.
    static let requestID = 128
}
