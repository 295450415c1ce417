// The command `bridged chat`.

import ArgumentParser
import Bridge

struct Chat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talk with Codex in the terminal, or ask it one question.",
    usage: "bridged chat [question...] [options]",
    discussion: """
      Without a question it is a conversation. With one, Codex answers it and the program ends. Standard input that is no \
      terminal is one message, or what the question is about: git diff | bridged chat "Review this."
      """)

  @OptionGroup var options: SettingSelection<ChatFlags>

  @Flag(help: "The real Codex with a built-in stand-in for the model: works without a login.")
  var demo = false

  @Flag(help: "Begin a new conversation; else the last one goes on.")
  var new = false

  @Argument(help: "The question.")
  var question: [String] = []

  func run() throws {
    let configuration = try options.load(asks: true)
    Log.bootstrap(configuration, quietly: true)
    Log.report(configuration.notices)
    var chat = TerminalChat.Options()
    chat.isDemo = demo
    chat.isNew = new
    chat.question = question.joined(separator: " ")
    let options = chat
    let code = Loop.run { await TerminalChat.run(configuration, options) }
    if code != 0 { throw ExitCode(code) }
  }
}
