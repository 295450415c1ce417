// `bridged doctor`: what a start needs, checked one by one, with advice.

import Glibc

/// Checks of the machine and the configuration.
@LoopActor
public enum Checkup {
  private static let engineWait = Duration.seconds(20)

  /// Prints one line per check through `say`, with nothing in it that could drive a terminal; returns 0 if a turn could be run. A demo needs no login.
  public static func run(
    _ configuration: Configuration,
    demo isDemo: Bool,
    say printLine: @escaping @LoopActor (String) -> Void
  ) async -> Int32 {
    // Much of it is what Codex, files and the environment say.
    let say: @LoopActor (String) -> Void = { printLine($0.printable) }
    var results: [(name: String, failure: String?)] = []
    let notices = configuration.notices.filter { $0.level != .info }.map(\.text)
    for warning in notices + SandboxReach.warnings(configuration) { say("warning \(warning)") }
    results.append(("settings", settingsFailure(configuration)))
    results.append(("state directory", stateFailure(configuration)))
    results.append(("port \(configuration[Settings.port])", portFailure(configuration)))
    do throws(ConfigurationError) {
      let demo = isDemo ? try DemoModel(stateDirectory: StateDirectory.open(configuration)) : nil
      defer { demo?.stop() }
      results += try await engineChecks(configuration, demo, say)
    } catch {
      results.append(("Codex", error.description))
    }
    for (name, failure) in results {
      say(failure.map { "not ok  \(name): \($0)" } ?? "ok      \(name)")
    }
    return results.allSatisfy { $0.failure == nil } ? 0 : 1
  }

  private static func settingsFailure(_ configuration: Configuration) -> String? {
    do throws(ConfigurationError) {
      try StartChecks.run(configuration)
      return nil
    } catch {
      return error.description
    }
  }

  private static func stateFailure(_ configuration: Configuration) -> String? {
    let directory: String
    do throws(ConfigurationError) {
      directory = try StateDirectory.open(configuration)
    } catch {
      return error.description
    }
    do throws(FileError) {
      try FileContents.requireRoom(in: directory)
      return nil
    } catch {
      return "\(directory): \(error); set \(Settings.stateDirectory.name) to a writable directory"
    }
  }

  private static func portFailure(_ configuration: Configuration) -> String? {
    do throws(LoopError) {
      let hosts = configuration[Settings.host]
      for target in try ListenAddress.resolve(hosts, port: configuration[Settings.port]) {
        do throws(LoopError) {
          try Listener(on: target.address, onConnection: { $0.close() }, onAcceptFailure: { _ in }).close()
        } catch  where target.isOptional && error.isMissingAddress {
          continue
        }
      }
      return nil
    } catch {
      return "\(error); is another bridge running? Choose another \(Settings.port.name)"
    }
  }

  private static func engineChecks(
    _ configuration: Configuration,
    _ demo: DemoModel?,
    _ say: @LoopActor (String) -> Void
  ) async throws(ConfigurationError) -> [(name: String, failure: String?)] {
    let command = try ChildCommand(configuration, demo: demo)
    var results: [(name: String, failure: String?)] = []
    let engine = CodexEngine(command: command, options: CodexEngine.Options(configuration))
    engine.start()
    let deadline = Loop.now + engineWait
    while engine.unavailability == .starting, Loop.now < deadline { await Loop.sleep(.milliseconds(20)) }
    let unavailability = engine.unavailability
    let name = engine.status.version.map { "Codex \($0)" } ?? "Codex"
    let isLoggedOut = unavailability?.isLoggedOut == true
    let isConfigInvalid = if case .configInvalid? = unavailability { true } else { false }
    results.append((name, isLoggedOut || isConfigInvalid ? nil : unavailability?.message))
    if engine.status.version != nil {
      results.append(("Codex's configuration", isConfigInvalid ? unavailability?.message : nil))
      if !isConfigInvalid { results.append(("login", isLoggedOut ? unavailability?.message : nil)) }
      let models = try? await engine.models()
      if let fault = ModelSelector(configuration, catalog: models).defaultFault { say("warning \(fault)") }
      results.append(("sandbox", await engine.sandboxFailure()))
    }
    await engine.stop()
    return results
  }
}
