import Config
import Connection
import Core

extension ConnectionLimits {
    /// With what a ClientTrafficPolicy says in the place of what holds without one.
    func under(_ client: ClientTrafficConfig) -> ConnectionLimits {
        var limits = self
        let plan = client.connection
        if plan.maxRequestHeader > 0 {
            limits.requestHead.octets = Int(plan.maxRequestHeader)
            limits.requestHead.requestLine = min(limits.requestHead.requestLine, limits.requestHead.octets)
        }
        limits.headReceived = plan.headersReceivedTimeout.over(limits.headReceived)
        // What holds for head and body together holds for the head.
        if client.request.receivedTimeout.isSet {
            limits.headReceived = min(limits.headReceived, client.request.receivedTimeout.over(.forever))
        }
        limits.keepAliveIdle = plan.idleTimeout.over(limits.keepAliveIdle)
        limits.streamIdle = client.request.streamIdleTimeout.over(limits.streamIdle)
        limits.handshake = plan.handshakeTimeout.over(limits.handshake)
        if plan.maxRequestsPerConnection > 0 { limits.requests = plan.maxRequestsPerConnection }
        if plan.maxConnectionDuration > .zero { limits.duration = plan.maxConnectionDuration }
        limits.closesAtDuration = plan.closesAtDuration
        limits.passesTrailers = plan.passesTrailers
        limits.splices = plan.bufferLimit == 0 || Int(plan.bufferLimit) >= PipePool.capacity
        limits.take(plan.http2)
        return limits
    }

    private mutating func take(_ plan: ClientHTTP2Plan) {
        if plan.initialStreamWindowSize > 0 { http2.initialStreamWindowSize = plan.initialStreamWindowSize }
        if plan.initialConnectionWindowSize > 0 {
            http2.initialConnectionWindowSize = plan.initialConnectionWindowSize
        }
        if plan.maxConcurrentStreams > 0 { http2.maxConcurrentStreams = plan.maxConcurrentStreams }
        http2.endsConnectionOnInvalidMessage = plan.endsConnectionOnInvalidMessage
        http2Keepalive.interval = plan.keepaliveInterval
        http2Keepalive.idleInterval = plan.keepaliveIdleInterval
        http2Keepalive.jitter = Int(plan.keepaliveJitter)
        if plan.keepaliveTimeout > .zero { http2Keepalive.timeout = plan.keepaliveTimeout }
    }
}
