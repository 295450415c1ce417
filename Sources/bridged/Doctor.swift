// The command `bridged doctor`.

import ArgumentParser
import Bridge

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check Codex, its login, the sandbox, the port and the directories, and say what to do.",
    usage: "bridged doctor [options]")

  @OptionGroup var options: SettingOptions

  @Flag(help: "Check what `serve --demo` needs: no login.")
  var demo = false

  func run() throws {
    let configuration = try options.load()
    Log.bootstrap(configuration, quietly: true)
    let demo = demo
    let code = Loop.run {
      await Checkup.run(
        configuration, demo: demo, isBridge: { BridgeClient.answers(configuration) }, print: { print($0) })
    }
    if code != 0 { throw ExitCode(code) }
  }
}
