// The command `bridged status`.

import ArgumentParser
import Bridge

struct Status: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say whether a bridge runs here, and what it does.",
    usage: "bridged status [options]",
    discussion: """
      Exit status: 0 if it runs and turns can be started, 75 if it runs and none can, 69 if none runs, 77 if it refuses the \
      key.
      """)

  @OptionGroup var options: SettingSelection<AddressFlags>

  @Flag(help: "Print one line of JSON.")
  var json = false

  func run() throws {
    let configuration = try options.loadQuietly()
    try reporting { () throws(CommandFailure) in try StatusCommand.run(configuration, json: json) }
  }
}
