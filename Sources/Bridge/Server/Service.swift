// The daemon: a server from its start to the signal that ends it.

import Glibc

/// Runs a `BridgeServer` as a process.
@LoopActor
package enum Service {
  /// Serves until SIGTERM, SIGINT or SIGHUP; returns the exit status. A second SIGTERM or SIGINT ends at once. SIGHUP is
  /// left alone where it was ignored at the start, as nohup(1) does.
  package static func run(_ configuration: Configuration, demo: Bool) async -> Int32 {
    Log.report(configuration.notices.filter { $0.level != .info })
    for warning in SandboxReach.warnings(configuration) + ApprovalHook.warnings(configuration) {
      Log.warning(warning)
    }
    do {
      let server = try BridgeServer(configuration, demo: demo)
      // These come after the checks, so that a start that is refused prints its reason only.
      Log.report(configuration.notices.filter { $0.level == .info })
      let stop = Waiter<Void>()
      let signals = try [SIGTERM, SIGINT].map { signal in
        try SignalSource(signal) { stop.finish() }
      }
      SecondSignal.endsProcess([SIGTERM, SIGINT])
      // SIGHUP is not counted as a second signal: a terminal that closes may send it twice, and systemd sends it after SIGTERM
      // when a person has logged out.
      let hangUp = isIgnored(SIGHUP) ? nil : try SignalSource(SIGHUP) { stop.finish() }
      let urls = try server.start()
      for url in urls { announce("listening on \(url)", url) }
      if hasPerson { Loop.spawn { await server.tellStart(at: urls) { Log.show($0) } } }
      await stop.value()
      Log.info("stopping; a second signal ends at once")
      await server.stop()
      for signal in signals + [hangUp].compactMap(\.self) { signal.close() }
      return 0
    } catch {
      Log.fatal("\(error)")
      return 1
    }
  }

  /// Whether the log is read on a terminal, as it comes.
  private static var hasPerson: Bool { Log.format == .text && isatty(STDERR_FILENO) == 1 }

  private static func isIgnored(_ signal: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(signal, nil, &action) == 0 else { return false }
    // Functions cannot be compared; this one is the number 1.
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
      == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// One line that people and scripts wait for, past any buffer, in the format of the log.
  private static func announce(_ text: String, _ url: String) {
    let line =
      switch Log.format {
      case .text: text.printable
      case .json:
        StandardErrorLogHandler.line(
          .json, time: timestamp(), level: "info", message: text, fields: [("url", url)])
      }
    LineOutput(descriptor: STDOUT_FILENO) { _ in "" }.write(line: line)
  }
}
