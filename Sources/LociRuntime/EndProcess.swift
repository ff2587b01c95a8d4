import Glibc
public import LociModel

/// Ends the process with one sentence on standard error: status 2 for what the user wrote wrong,
/// 1 for everything else.
public func endProcess(reporting error: LociError) -> Never {
    let advice = error.advice.isEmpty ? "" : " \(error.advice)"
    let line = "error: \(error.message)\(advice)\n"
    unsafe line.withCString { unsafe _ = write(STDERR_FILENO, $0, strlen($0)) }
    Glibc.exit(error.code == .invalidArgument ? 2 : 1)
}
