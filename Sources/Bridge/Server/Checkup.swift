// `bridged doctor`: what a start needs, checked one by one, with advice.

import Glibc

/// Checks of the machine and the configuration.
@LoopActor
package enum Checkup {
  /// How long Codex may take to start. With more, a check of a broken installation takes longer; with less, a slow machine
  /// seems to be broken.
  private static let engineWait = Duration.seconds(20)

  /// Prints one line per check with `print`, with nothing in it that could drive a terminal. Returns 0 if a turn could be run,
  /// else 1. A demo needs no login. A port where a bridge answers already is as it should be; `isBridge` tells whether one
  /// does, and may block.
  package static func run(
    _ configuration: Configuration,
    demo isDemo: Bool,
    isBridge: () -> Bool,
    print: @escaping @LoopActor (String) -> Void
  ) async -> Int32 {
    // The lines quote Codex, files and the environment.
    let report: @LoopActor (String) -> Void = { print($0.printable) }
    var results: [(name: String, failure: String?)] = []
    let notices = configuration.notices.filter { $0.level != .info }.map(\.text)
    let warnings = SandboxReach.warnings(configuration) + ApprovalHook.warnings(configuration)
    for warning in notices + warnings { report("warning \(warning)") }
    results.append(outcome("settings") { () throws(ConfigurationError) in try StartChecks.run(configuration) })
    results.append(
      outcome("state directory") { () throws(ConfigurationError) in try checkStateDirectory(configuration) })
    results.append(portCheck(configuration, isBridge: isBridge))
    do throws(ConfigurationError) {
      let demo = isDemo ? try DemoModel(stateDirectory: StateDirectory.open(configuration)) : nil
      defer { demo?.stop() }
      results += try await engineChecks(configuration, demo, report)
    } catch {
      results.append(("Codex", error.description))
    }
    for (name, failure) in results {
      report(failure.map { "not ok  \(name): \($0)" } ?? "ok      \(name)")
    }
    for step in PackagedService().steps { report("next    \(step)") }
    return results.allSatisfy { $0.failure == nil } ? 0 : 1
  }

  private static func outcome(
    _ name: String, of check: () throws(ConfigurationError) -> Void
  ) -> (name: String, failure: String?) {
    do throws(ConfigurationError) {
      try check()
      return (name, nil)
    } catch {
      return (name, error.description)
    }
  }

  private static func checkStateDirectory(_ configuration: Configuration) throws(ConfigurationError) {
    let directory = try StateDirectory.open(configuration)
    do throws(FileError) {
      try FileContents.requireRoom(in: directory)
    } catch {
      throw ConfigurationError(
        description: "\(directory): \(error); set \(Settings.stateDirectory.name) to a writable directory")
    }
  }

  private static func portCheck(
    _ configuration: Configuration, isBridge: () -> Bool
  ) -> (name: String, failure: String?) {
    let name = "port \(configuration[Settings.port])"
    do throws(LoopError) {
      try checkPort(configuration)
      return (name, nil)
    } catch  where error.isTakenAddress && isBridge() {
      return ("\(name): a bridge answers there", nil)
    } catch {
      return (name, ConfigurationError(listening: error).description)
    }
  }

  private static func checkPort(_ configuration: Configuration) throws(LoopError) {
    let hosts = configuration[Settings.host]
    for target in try ListenAddress.resolve(hosts, port: configuration[Settings.port]) {
      do throws(LoopError) {
        try Listener(on: target.address, onConnection: { $0.close() }, onAcceptFailure: { _ in }).close()
      } catch  where target.isOptional && error.isMissingAddress {
        continue
      }
    }
  }

  private static func engineChecks(
    _ configuration: Configuration,
    _ demo: DemoModel?,
    _ report: @LoopActor (String) -> Void
  ) async throws(ConfigurationError) -> [(name: String, failure: String?)] {
    let command = try ChildCommand(configuration, demo: demo)
    var results: [(name: String, failure: String?)] = []
    let engine = CodexEngine(command: command, options: CodexOptions(configuration))
    engine.start()
    let unavailability = await engine.unavailability(afterStartingFor: engineWait)
    let name = engine.status.version.map { "Codex \($0)" } ?? "Codex"
    let isLoggedOut = unavailability?.isLoggedOut == true
    let isConfigInvalid = if case .configInvalid? = unavailability { true } else { false }
    results.append((name, isLoggedOut || isConfigInvalid ? nil : unavailability?.message))
    if engine.status.version != nil {
      results.append(("Codex's configuration", isConfigInvalid ? unavailability?.message : nil))
      if !isConfigInvalid { results.append(("login", isLoggedOut ? unavailability?.message : nil)) }
      let models = try? await engine.models()
      if let fault = ModelSelector(configuration, catalog: models).defaultFault { report("warning \(fault)") }
      results.append(("sandbox", await engine.sandboxFailure()))
      if let fault = await chatFault(command) {
        report("warning \(fault)")
      } else {
        results.append(("plain chat", nil))
      }
    }
    await engine.stop()
    return results
  }
  /// What the plain chat lacks with this Codex; nil for nothing. It is tried where nothing of it stays.
  private static func chatFault(_ command: ChildCommand) async -> String? {
    do throws(ProgramFailure) {
      _ = try await ChatCatalog.read(with: command)
      return nil
    } catch {
      return "plain chat: models of the gpt-5.6 and gpt-6 families keep two tools there (\(error))"
    }
  }
}
