// The command `bridged chat`.

import ArgumentParser
import Bridge
import Glibc

struct Chat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talk with Codex in the terminal, or ask it one question.",
    usage: "bridged chat [question...] [options]",
    discussion: """
      Without a question it is a conversation. With one, Codex answers it and the program ends. Standard input that is no \
      terminal is one message, or what the question is about: git diff | bridged chat "Review this." \
      The last conversation of this directory goes on, unless --new or --continue says another.
      """)

  @OptionGroup var options: SettingSelection<ChatFlags>

  @Flag(help: "The real Codex with a built-in stand-in for the model: works without a login.")
  var demo = false

  @Flag(help: "Begin a new conversation; else the last one goes on.")
  var new = false

  @Option(
    name: .customLong("continue"),
    help: ArgumentHelp(
      "Go on with this conversation: its id or the beginning of it, or its number in the list.", valueName: "id"))
  var continued: String?

  @Flag(help: "List the conversations of this directory.")
  var list = false

  @Flag(help: "For programs: the answer to one question as JSON, an object per line; a list likewise.")
  var json = false

  @Argument(help: "The question.")
  var question: [String] = []

  func validate() throws {
    if new, continued != nil { throw ValidationError("--new and --continue exclude each other") }
    if list, new || continued != nil || !question.isEmpty {
      throw ValidationError("--list goes with --json and --demo only")
    }
    if json, !list, question.isEmpty, isatty(STDIN_FILENO) == 1 {
      throw ValidationError("--json needs a question")
    }
  }

  func run() throws {
    let configuration = try options.load(asks: true)
    Log.bootstrap(configuration, quietly: true)
    Log.report(configuration.notices)
    var chat = TerminalChat.Options()
    chat.isDemo = demo
    chat.isJSON = json
    chat.start = new ? .new : continued.map { .chosen($0) } ?? .last
    chat.question = question.joined(separator: " ")
    let (options, isList) = (chat, list)
    let code = Loop.run {
      if isList { return TerminalChat.list(configuration, options) }
      return await TerminalChat.run(configuration, options)
    }
    if code != 0 { throw ExitCode(code) }
  }
}
