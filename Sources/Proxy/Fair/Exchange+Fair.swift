import Config
import Connection
import Core
import HTTP
import Telemetry
import Upstream

/// A call on a group's listener among the others: when it may go on, and what it holds meanwhile.
extension Exchange {
    var fairPlace: ExchangePlace {
        if let fairPlaceIfMade { return fairPlaceIfMade }
        let made = ExchangePlace(self)
        fairPlaceIfMade = made
        return made
    }

    /// It takes part from now on: whose call it is has been found out. False: it has been answered.
    func takePart() -> Bool {
        guard let downstream else { return false }
        if let call {
            let members = snapshot[snapshot.header.pointee.groups, Int(call.group)].pointee.members
            fair.member = snapshot[members, Int(call.member)]
        }
        let caller = downstream.origin.caller?.flow ?? FairUse.flow(ofAddress: downstream.peer.ip)
        fair.flow = FairUse.flow(member: fair.member?.pointee.identity ?? 0, caller: caller)
        fair.isOpen = true
        worker.beginWork(on: self, .requestHead)
        switch worker.isolations.verdict(on: fair.slot) {
        case .here: return true
        case .isolationWorker:
            // What it holds it holds there, and what its input does is done there.
            fair.isKeptElsewhere = true
            fair.member = nil
            worker.beginWork(on: self, .requestHead)
            return true
        case .nowhere:
            worker.fair.countRefusal(of: self)
            answer(503, .overload, "this service has killed the gateway's worker: it is refused for a while")
            return false
        }
    }

    /// Whether it goes on at once to its routes, whose cost is its flow's. False: it waits, or has been refused.
    func passesFairly() -> Bool {
        switch worker.fair.enter(self) {
        case .admitted: return true
        case .waiting:
            phase = .admitting
            // Until the first attempt nothing else uses this deadline.
            attemptDeadline = worker.loop.now + FairShare.longestWait
            armDeadline()
            return false
        case .refused:
            refuseShare("more of its calls wait than may")
            return false
        }
    }

    /// Workers have died of the service: to the one that serves it, as the client has sent it. False: it needs no backend, and
    /// is answered here.
    func goesToIsolationWorker() -> Bool {
        guard let configuration, let rule, let message = downstream?.request, let bytes = downstream?.headBytes,
            let backend = chooseBackend(rule, message, bytes), backend.pointee.cluster != BackendConfig.invalid
        else { return false }
        let config = snapshot[snapshot.header.pointee.clusters, Int(backend.pointee.cluster)].pointee
        let handed = HandedCall(rule.pointee, backend.pointee)
        fair.handed = handed
        self.rule = UnsafePointer(handed.rule)
        self.backend = UnsafePointer(handed.backend)
        let isHTTP2 = isGRPC || grpcWeb?.isTranslated == true
        mayNotBeHandedOn = true
        cluster = worker.isolations.way(like: config, isHTTP2: isHTTP2, in: configuration)
        prepareBody(message)
        attempt()
        return true
    }

    /// It waits to be admitted.
    var waitsForShare: Bool { fair.waitsSince < .distantFuture }

    /// Its turn has come, and there is a place for it.
    func shareGiven() {
        attemptDeadline = .distantFuture
        worker.beginWork(on: self, .requestHead)
        routeInTurn()
        worker.endWork()
    }

    /// 503: the gateway has no more for this flow, or the service no more at all.
    func refuseShare(_ why: StaticString) {
        worker.fair.countRefusal(of: self)
        worker.fair.leave(self)
        fair.isAdmitted = false
        attemptDeadline = .distantFuture
        detail.clear()
        detail.append("the share of ")
        writeCaller(to: &detail)
        if let member = fair.member {
            detail.append(" of what is there for ")
            detail.append(snapshot.text(member.pointee.qualifiedName))
        }
        detail.append(" is used up: ")
        detail.append(why)
        answer(503, .upstreamOverflow, detail.view)
    }

    /// What an event has it do, when its flow's turn has come.
    func goOnInTurn() {
        guard phase != .over else { return }
        worker.beginWork(on: self, inputKind)
        advance()
        worker.endWork()
        noteOctets()
    }

    /// What an event has it do, at once or later.
    func goOnFairly() {
        if !worker.fair.putsOff(self) { goOnInTurn() }
    }

    /// The memory that its streams have borrowed.
    func noteOctets() {
        guard fair.isAdmitted else { return }
        var held = 0
        if let downstream { held += downstream.input.capacity + downstream.output.capacity }
        if let upstream { held += upstream.input.capacity + upstream.output.capacity }
        worker.fair.note(Int64(held), of: self)
    }

    /// The exchange is over.
    func leaveShare() {
        worker.fair.leave(self)
        fair = FairUse()
    }

    /// What came last from somebody else.
    var inputKind: InputKind {
        switch phase {
        case .awaitingHead: requestSent ? .responseHead : .requestBody
        case .relaying: .responseBody
        case .tunnel: .tunnel
        case .over, .routing, .admitting, .resolving, .connecting, .backingOff, .answering, .queued: .requestHead
        }
    }

    /// `namespace/name` of who calls, as far as it is known; else the address.
    private func writeCaller(to text: inout ByteBuffer) {
        guard let downstream else { return }
        if let caller = downstream.origin.caller, !caller.name.isEmpty {
            caller.namespace.withView { text.append($0) }
            text.append(byte: ASCII.slash)
            caller.name.withView { text.append($0) }
        } else if let workload = configuration?.routes.workload(at: downstream.peer.ip) {
            text.append(snapshot.text(workload.pointee.namespace))
            text.append(byte: ASCII.slash)
            text.append(snapshot.text(workload.pointee.name))
        } else {
            downstream.peer.ip.write(to: &text)
        }
    }

    /// Counts something for its flow, by the names of the service and the caller.
    func countFlow(_ count: (FlowCounts.Flow) -> Void) {
        let share = worker.fair
        share.callerText.clear()
        writeCaller(to: &share.callerText)
        let member = fair.member?.pointee.identity ?? 0
        count(FlowCounts.Flow(key: fair.flow, member: member, caller: share.callerText.view))
    }
}

extension FairUse {
    /// Who is known by nothing but an address.
    static func flow(ofAddress ip: IPAddress) -> UInt64 { HashMix.combine(HashMix.mix(ip.high), ip.low) }
}
