// `bridged models`: the models that clients of the running bridge may ask for.

/// The models of the running bridge.
package enum ModelsCommand {
  /// Prints the list.
  package static func run(_ configuration: Configuration, json: Bool) throws(CommandFailure) {
    let client = try BridgeClient.connect(configuration)
    let list = try client.get(BridgeClient.target(["v1", "models"]))
    _ = try client.entries(of: list)
    if json { return CommandOutput.print(json: list) }
    CommandOutput.print(lines: table(of: list).lines(width: CommandOutput.width))
  }

  /// `list` is the answer of /v1/models.
  static func table(of list: JSONValue) -> TextTable {
    let rows = (list["data"]?.arrayValue ?? []).map { model in
      [model["id"]?.stringValue ?? "", model["name"]?.stringValue ?? ""]
    }
    return TextTable(["MODEL", "NAME"], rows)
  }
}
