// The service manager's protocols: readiness and watchdog over a datagram socket, listening sockets handed over.
// Source: sd_notify(3) and sd_listen_fds(3); both are a few lines and need no library.

import Glibc

/// What systemd, or anything that speaks its protocols, is told and hands over.
@LoopActor
final class ServiceManager {
  private static let firstDescriptor: Int32 = 3

  private let address: String?
  private let watchdogInterval: Duration?
  private var watchdog = Ticker()
  /// Descriptors of sockets that listen already.
  let listeners: [Int32]

  init(environment: [String: String]) {
    address = environment["NOTIFY_SOCKET"].flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
    let isOurs = environment["WATCHDOG_PID"].map { Int32($0) == getpid() } ?? true
    let microseconds = environment["WATCHDOG_USEC"].flatMap { Int64($0) }
    // Half the limit, as sd_watchdog_enabled(3) recommends.
    watchdogInterval = isOurs ? microseconds.flatMap { $0 > 0 ? .microseconds($0 / 2) : nil } : nil
    let count =
      environment["LISTEN_PID"].flatMap { Int32($0) } == getpid()
      ? environment["LISTEN_FDS"].flatMap { Int32($0) } ?? 0 : 0
    listeners = (0..<max(0, min(count, 64))).map { Self.firstDescriptor + $0 }
    for descriptor in listeners { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
  }

  /// The service serves. From here on a stuck loop is noticed by the watchdog.
  func ready(_ status: String) {
    send("READY=1\nSTATUS=\(status)")
    guard let watchdogInterval else { return }
    watchdog.start(every: watchdogInterval) { [weak self] in self?.send("WATCHDOG=1") }
  }

  func stopping() { send("STOPPING=1\nSTATUS=Waiting for running turns") }

  func close() { watchdog.stop() }

  private func send(_ message: String) {
    // A manager that does not listen is no reason to fail.
    if let address { LocalDatagram.send(message, to: address) }
  }
}
