import Core
import Glibc
import IO

extension Command {
    static let reload = Command(
        name: "reload", synopsis: "reload [OPTION…]",
        summary: "Loads the manifests again into the running gateway, and waits for the outcome.",
        options: RunningGateway.options + """

              -o text|json            default text

            Exit status: 0 the set is live in all workers; 1 it was refused, with the findings, and nothing changed;
            2 the command line is wrong, or no gateway answers.
            """
    ) { arguments throws(UsageError) in
        var format = OutputFormat.text
        let gateway = try RunningGateway.read(
            arguments, format: &format,
            refusing: [
                "--confirm":
                    "--confirm is not in this version; reload takes effect at once, and a refused set changes nothing"
            ])
        do throws(AdminClient.Unreachable) {
            let answer = try AdminClient.request("POST", "/api/reload", accept: format.mediaType, at: gateway.admin)
            Output.whole(answer.body)
            return answer.status == 200 ? 0 : 1
        } catch {
            guard gateway.admin == .off, let pid = gateway.pid else { throw UsageError(error.description) }
            // Without an admin interface there is nobody to ask what became of it.
            guard kill(pid, SIGHUP) == 0 else { throw UsageError("process \(pid): \(Errno(errno))") }
            Output.print("asked process \(pid) to reload; it has no admin interface, so its log tells the outcome")
            return 0
        }
    }

    static let status = Command(
        name: "status", synopsis: "status [OPTION…]",
        summary: "Shows what the running gateway is doing: configuration, listeners, workers, backends, traffic.",
        options: RunningGateway.options + """

              -o text|json            default text

            Exit status: 0 it is ready; 1 it is not, and why is shown; 2 the command line is wrong, or no gateway answers.
            """
    ) { arguments throws(UsageError) in
        var format = OutputFormat.text
        let gateway = try RunningGateway.read(arguments, format: &format)
        do throws(AdminClient.Unreachable) {
            let answer = try AdminClient.request("GET", "/api/status", accept: format.mediaType, at: gateway.admin)
            let ready = try AdminClient.request("GET", "/readyz", accept: "*/*", at: gateway.admin)
            Output.whole(answer.body)
            return answer.status == 200 && ready.status == 200 ? 0 : 1
        } catch {
            throw UsageError(error.description)
        }
    }

    static let stop = Command(
        name: "stop", synopsis: "stop [OPTION…]",
        summary: "Drains the running gateway as SIGTERM does, and waits until it has ended.",
        options: RunningGateway.options + """


            Exit status: 0 it has ended; 2 the command line is wrong, or no gateway answers.
            """
    ) { arguments throws(UsageError) in
        var format = OutputFormat.text
        let gateway = try RunningGateway.read(arguments, format: &format)
        if let pid = gateway.pid {
            guard kill(pid, SIGTERM) == 0 else { throw UsageError("process \(pid): \(Errno(errno))") }
            SystemCalls.waitForEnd(of: pid)
            return 0
        }
        do throws(AdminClient.Unreachable) {
            let answer = try AdminClient.request("POST", "/api/drain", accept: "*/*", at: gateway.admin)
            guard answer.status == 202 else {
                throw AdminClient.Unreachable(description: String(decoding: answer.body, as: UTF8.self))
            }
        } catch {
            throw UsageError(error.description)
        }
        // The interface answers until the last process of the family ends.
        while (try? AdminClient.request("GET", "/healthz", accept: "*/*", at: gateway.admin)) != nil { usleep(50_000) }
        return 0
    }

    /// Commands that interface.md has and this version has not: they say so, and are not listed.
    static let unavailable = ["diff", "rollback", "upgrade"]
}

extension OutputFormat {
    /// What the admin interface is asked for.
    var mediaType: String {
        switch self {
        case .text: "text/plain"
        case .json: "application/json"
        }
    }
}

extension Output {
    static func whole(_ octets: [UInt8]) {
        var text = ByteBuffer()
        octets.withView { text.append($0) }
        whole(text)
    }
}
