import ArgumentParser
import Bridge

struct Chat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talk with Codex in the terminal. Reads a pipe too: echo hi | bridged chat")

  @OptionGroup var options: SettingOptions

  @Flag(help: "The real Codex with a built-in stand-in for the model: works without a login.")
  var demo = false

  func run() throws {
    let configuration = try options.load(asks: true)
    Log.bootstrap(configuration, quietly: true)
    Log.report(configuration.notices)
    let demo = demo
    let code = Loop.run { await TerminalChat.run(configuration, demo: demo) }
    if code != 0 { throw ExitCode(code) }
  }
}
