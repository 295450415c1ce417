// The command `bridged serve`, which also runs when no command is named.

import ArgumentParser
import Bridge

struct Serve: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Serve the OpenAI API.", usage: "bridged serve [options]")

  @OptionGroup var options: SettingOptions

  @Flag(help: "The real Codex with a built-in stand-in for the model: works without a login.")
  var demo = false

  func run() throws {
    let configuration = try options.load(asks: true)
    Log.bootstrap(configuration)
    let demo = demo
    let code = Loop.run { await Service.run(configuration, demo: demo) }
    if code != 0 { throw ExitCode(code) }
  }
}
