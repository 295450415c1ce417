// The command `bridged sessions` and its own commands.

import ArgumentParser
import Bridge

struct SessionsGroup: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sessions",
    abstract: "List, show and forget the sessions of the running bridge.",
    usage: "bridged sessions [list | show ID | forget ID...] [options]",
    discussion: "They are those of the key in the settings; of several keys, the first.",
    subcommands: [List.self, Show.self, Forget.self],
    defaultSubcommand: List.self)

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List them, the last used first.", usage: "bridged sessions list [options]")

    @OptionGroup var options: SettingSelection<AddressFlags>

    @Option(name: .shortAndLong, help: ArgumentHelp("How many at most.", valueName: "count"))
    var limit = 50

    @Option(help: ArgumentHelp("Only those with this in their id or title.", valueName: "text"))
    var search: String?

    @Flag(help: "Print one line of JSON.")
    var json = false

    func validate() throws {
      guard limit > 0 else { throw ValidationError("--limit \(limit): expected a number from 1") }
    }

    func run() throws {
      let configuration = try options.loadQuietly()
      try reporting { () throws(CommandFailure) in
        try SessionsCommand.list(configuration, limit: limit, search: search, json: json)
      }
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Tell what was said and done in one, as plain text.", usage: "bridged sessions show ID [options]")

    @Argument(help: "The id of the session.")
    var id: String

    @OptionGroup var options: SettingSelection<AddressFlags>

    @Flag(help: "Print one line of JSON.")
    var json = false

    func run() throws {
      let configuration = try options.loadQuietly()
      try reporting { () throws(CommandFailure) in try SessionsCommand.show(configuration, id: id, json: json) }
    }
  }

  struct Forget: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Forget them: the next message with such an id begins anew.",
      usage: "bridged sessions forget ID... [options]")

    @Argument(help: "The ids of the sessions.")
    var ids: [String]

    @OptionGroup var options: SettingSelection<AddressFlags>

    @Flag(help: "Print a line of JSON for each.")
    var json = false

    func run() throws {
      let configuration = try options.loadQuietly()
      try reporting { () throws(CommandFailure) in try SessionsCommand.forget(configuration, ids: ids, json: json)
      }
    }
  }
}
