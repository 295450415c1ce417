// The protocols of a service manager such as systemd: readiness and watchdog (sd_notify(3)), and listening sockets that it
// hands over (sd_listen_fds(3)). Both are a few lines and need no library.

import Glibc

/// Reports readiness to systemd, or to whatever else speaks its protocols, and takes its sockets.
@LoopActor
final class ServiceManager {
  /// The number of the first socket that is handed over (`SD_LISTEN_FDS_START`).
  private static let firstDescriptor: Int32 = 3
  /// Sockets that are taken at most; a manager hands over one or two.
  private static let maxListeners: Int32 = 64

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
    listeners = (0..<max(0, min(count, Self.maxListeners))).map { Self.firstDescriptor + $0 }
    for descriptor in listeners { _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC) }
  }

  /// Reports that the service serves. From here on `WATCHDOG=1` is sent, so that the manager notices a loop that is stuck.
  func ready(_ status: String) {
    send("READY=1\nSTATUS=\(status)")
    guard let watchdogInterval else { return }
    watchdog.start(every: watchdogInterval) { [weak self] in self?.send("WATCHDOG=1") }
  }

  /// Reports that the service is about to end.
  func stopping() { send("STOPPING=1\nSTATUS=Waiting for running turns") }

  /// Stops feeding the watchdog.
  func close() { watchdog.stop() }

  private func send(_ message: String) {
    // The service runs on also when its manager does not listen.
    if let address { LocalDatagram.send(message, to: address) }
  }
}
