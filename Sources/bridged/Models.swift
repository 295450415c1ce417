// The command `bridged models`.

import ArgumentParser
import Bridge

struct Models: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List the models that the running bridge offers.", usage: "bridged models [options]")

  @OptionGroup var options: SettingSelection<AddressFlags>

  @Flag(help: "Print the answer of /v1/models, one line of JSON.")
  var json = false

  func run() throws {
    let configuration = try options.loadQuietly()
    try reporting { () throws(CommandFailure) in try ModelsCommand.run(configuration, json: json) }
  }
}
