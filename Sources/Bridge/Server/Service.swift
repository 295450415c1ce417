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
        try SignalSource(signal) { stop.finish() }
      }
      SecondSignal.endsProcess([SIGTERM, SIGINT])
      for url in try server.start() { announce("listening on \(url)") }
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

  /// One line that people and scripts wait for, past any buffer.
  private static func announce(_ line: String) {
    LineOutput(descriptor: STDOUT_FILENO) { _ in "" }.write(line: line)
  }
}
