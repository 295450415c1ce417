// What somebody is told who has mistyped a command or an option. The argument parser takes an unknown command for an argument of
// the default one, and would answer with that one's usage.

import ArgumentParser
import Bridge

enum CommandAdvice {
  /// Words that are commands of other programs of this kind.
  private static let otherNames = [
    "start": "serve", "run": "serve", "ps": "status", "list": "sessions", "ls": "sessions",
  ]
  /// Options of every command, which the argument parser does not think of when it looks for what was meant.
  private static let commonOptions = ["--help", "--version"]

  /// What to say where the arguments name a command that there is not; nil where they do not.
  static func unknownCommand(_ arguments: [String]) -> (reason: String, usage: String)? {
    var command: any ParsableCommand.Type = Bridged.self
    var path = command._commandName
    // `bridged help status` is about that command.
    for argument in arguments.first == "help" ? arguments.dropFirst() : arguments[...] {
      let commands = command.configuration.subcommands
      guard !commands.isEmpty, !argument.hasPrefix("-"), argument != "help" else { return nil }
      if let next = commands.first(where: { names(of: $0).contains(argument) }) {
        command = next
        path += " \(argument)"
        continue
      }
      let known = commands.map { $0._commandName }
      let near =
        NearestName.among(known, to: argument) ?? otherNames[argument].flatMap { known.contains($0) ? $0 : nil }
      let hint = near.map { "; did you mean “\(path) \($0)”?" } ?? ""
      return (
        "there is no command “\(argument)”\(hint)",
        "Commands of \(path): \(known.joined(separator: ", "))\n  See '\(path) --help' for more information.\n"
      )
    }
    return nil
  }

  private static func names(of command: any ParsableCommand.Type) -> [String] {
    [command._commandName] + command.configuration.aliases
  }

  /// The parser's complaint about an option, with what was meant where the parser has not found it.
  static func withSuggestion(_ reason: String) -> String {
    guard let match = reason.wholeMatch(of: /Unknown option '(--[^']+)'/),
      let near = NearestName.among(commonOptions, to: String(match.1))
    else { return reason }
    return "\(reason). Did you mean '\(near)'?"
  }
}
