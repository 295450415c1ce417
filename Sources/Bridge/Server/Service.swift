// The daemon: a server from its start to the signal that ends it.

import Glibc

/// Runs a `BridgeServer` as a process.
@LoopActor
public enum Service {
  /// Serves until SIGTERM or SIGINT; returns the exit status. A second signal ends at once.
  public static func run(_ configuration: Configuration, demo: Bool) async -> Int32 {
    for warning in configuration.warnings { Log.warning(warning) }
    do {
      let server = try BridgeServer(configuration, demo: demo)
      let stop = Wait()
      let signals = try [SIGTERM, SIGINT].map { signal in
        try SignalSource(signal) {
          if stop.isFinished { _exit(128 + signal) }
          stop.finish()
        }
      }
      for url in try server.start() { announce("listening on \(url)", url) }
      await stop.value()
      Log.info("stopping; a second signal ends at once")
      await server.stop()
      for signal in signals { signal.close() }
      return 0
    } catch {
      Log.fatal("\(error)")
      return 1
    }
  }

  /// One line that people and scripts wait for, past any buffer, in the format of the log.
  private static func announce(_ text: String, _ url: String) {
    let line =
      switch Log.format {
      case .text: text
      case .json:
        StandardErrorLogHandler.line(
          .json, time: timestamp(), level: "info", message: text, fields: [("url", url)])
      }
    let bytes = Array((line + "\n").utf8)
    _ = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
  }
}
