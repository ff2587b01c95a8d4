import Foundation
import Glibc

/// A program that was started, with its output in files.
///
/// Invariants:
/// - The process is reaped once: by `end`, `wait` or the `deinit`, which kills it.
final class ChildProcess: @unchecked Sendable {
    let identifier: pid_t
    private let lock = NSLock()
    private var status: Int32?

    struct CannotStart: Error, CustomStringConvertible {
        let description: String
    }

    /// - Parameters:
    ///   - environment: Replaces or adds variables.
    ///   - output: Standard output is appended to it.
    ///   - errors: Standard error is appended to it.
    init(
        _ program: String, _ arguments: [String], environment: [String: String] = [:],
        output: String, errors: String
    ) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_APPEND
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, flags, 0o600)
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        var words = ([program] + arguments).map { strdup($0) } + [nil]
        var settings = variables.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in words + settings { free(text) } }
        var identifier: pid_t = 0
        let result = posix_spawn(&identifier, program, &actions, nil, &words, &settings)
        guard result == 0 else {
            throw CannotStart(description: "\(program): \(String(cString: strerror(result)))")
        }
        self.identifier = identifier
    }

    deinit { end(SIGKILL) }

    var isRunning: Bool { poll(WNOHANG) == nil }

    /// Sends a signal if the process has not been reaped.
    func send(_ signal: Int32) {
        lock.withLock { if status == nil { _ = kill(identifier, signal) } }
    }

    /// Sends a signal, and waits until the process has ended.
    func end(_ signal: Int32) {
        lock.withLock { if status == nil { kill(identifier, signal) } }
        poll(0)
    }

    /// The exit code, or 128 and the signal; nil if the process still runs after that time.
    func wait(_ time: Duration) async throws -> Int32? {
        let end = ContinuousClock.now + time
        while ContinuousClock.now < end {
            if let code = poll(WNOHANG) { return code }
            try await Task.sleep(for: .milliseconds(5))
        }
        return poll(WNOHANG)
    }

    @discardableResult
    private func poll(_ options: Int32) -> Int32? {
        lock.withLock {
            if status == nil {
                var result: Int32 = 0
                if waitpid(identifier, &result, options) == identifier { status = result }
            }
            guard let status else { return nil }
            return status & 0x7F == 0 ? (status >> 8) & 0xFF : 128 + status & 0x7F
        }
    }

    /// Kilobytes of memory that the process has now.
    var residentKilobytes: Int {
        let text =
            (try? String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)) ?? ""
        let line = text.split(separator: "\n").first { $0.hasPrefix("VmRSS:") } ?? ""
        return line.split(separator: " ").compactMap { Int($0) }.first ?? 0
    }
}

/// Where the programs under test are: beside the program that runs the tests, or where the
/// environment's LOCI_BINARIES says.
enum Programs {
    static func path(_ name: String) -> String {
        if let folder = ProcessInfo.processInfo.environment["LOCI_BINARIES"] {
            return "\(folder)/\(name)"
        }
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        let beside = (tests ?? CommandLine.arguments[0]) as NSString
        let bundle = CommandLine.arguments.first { $0.hasSuffix(".xctest") } as NSString?
        let candidates = [beside, bundle].compactMap { $0?.deletingLastPathComponent }
        let found = candidates.map { "\($0)/\(name)" }
        return found.first { access($0, X_OK) == 0 } ?? found[0]
    }

    /// A number from the environment, for runs that are longer than those of every day.
    static func size(_ variable: String, default standard: Int) -> Int {
        ProcessInfo.processInfo.environment[variable].flatMap { Int($0) } ?? standard
    }
}
