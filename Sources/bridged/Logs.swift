// The command `bridged logs`.

import ArgumentParser
import Bridge

struct Logs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show the log of the service, where systemd runs it.", usage: "bridged logs [options]",
    discussion: "This is `journalctl --unit bridged.service`; its help tells of further options.")

  @Flag(name: .shortAndLong, help: "Go on with what is logged from now on.")
  var follow = false

  @Option(
    name: [.customShort("n"), .long], help: ArgumentHelp("Only the last lines, so many.", valueName: "count"))
  var lines: Int?

  func validate() throws {
    if let lines, lines < 0 { throw ValidationError("--lines \(lines): expected a number from 0") }
  }

  func run() throws {
    try reporting { () throws(CommandFailure) in try LogsCommand.run(follow: follow, lines: lines) }
  }
}
