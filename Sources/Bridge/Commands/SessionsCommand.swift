// `bridged sessions`: the sessions of the running bridge that belong to the key.

/// Lists, shows and forgets sessions.
package enum SessionsCommand {
  /// The largest page that the bridge gives.
  private static let pageSize = 1000
  /// Bytes of what was said that are read at most; some ten times that is held. With more, a server that always has more
  /// could fill the memory; with less, long conversations are cut.
  private static let maxTranscriptBytes = 64 << 20
  /// Pages that are read at most: each has a hundred items or a megabyte of text. With more, a server whose pages are small
  /// and never end holds up the command.
  private static let maxPages = 1000
  private static let path = ["v1", "sessions"]

  // MARK: list

  /// Prints the sessions that were used last, at most `limit` of them, whose id or title contains `search`.
  package static func list(
    _ configuration: Configuration, limit: Int, search: String?, json: Bool
  ) throws(CommandFailure) {
    let (sessions, total) = try sessions(BridgeClient.connect(configuration), limit, search)
    if json {
      return CommandOutput.print(json: ["object": "list", "data": .array(sessions), "total": .int(total)])
    }
    guard !sessions.isEmpty else {
      return CommandOutput.print(
        lines: [search == nil ? "There are no sessions of this key." : "No session is like that."])
    }
    CommandOutput.print(lines: table(of: sessions).lines(width: CommandOutput.width))
    if sessions.count < total {
      CommandOutput.print(lines: ["", "\(sessions.count) of \(total); --limit \(total) shows all of them."])
    }
  }

  private static func sessions(
    _ client: BridgeClient, _ limit: Int, _ search: String?
  ) throws(CommandFailure) -> (sessions: [JSONValue], total: Int) {
    var sessions: [JSONValue] = []
    var total = 0
    while sessions.count < limit {
      let last = sessions.last
      let page = try client.get(
        BridgeClient.target(
          path,
          [
            "limit": String(min(pageSize, limit - sessions.count)), "search": search,
            "after": last?["id"]?.stringValue, "after_profile": last?["profile"]?.stringValue,
          ]))
      let entries = try client.entries(of: page)
      sessions += entries
      total = page["total"]?.intValue ?? sessions.count
      if entries.isEmpty || page["has_more"]?.boolValue != true { break }
    }
    return (sessions, total)
  }

  /// The title comes last, since it alone may be cut; an id has to be whole to be of use.
  static func table(of sessions: [JSONValue]) -> TextTable {
    let rows = sessions.map { session in
      [
        session["last_used"]?.intValue.map(ReadableTime.local) ?? "",
        session["turns"]?.intValue.map { String($0) } ?? "", state(of: session),
        session["model"]?.stringValue ?? "", session["id"]?.stringValue ?? "", session["title"]?.stringValue ?? "",
      ]
    }
    return TextTable(["LAST USED", "TURNS", "STATE", "MODEL", "ID", "TITLE"], numbers: [1], rows)
  }

  private static func state(of session: JSONValue) -> String {
    let state = session["state"]?.stringValue ?? ""
    return session["profile"]?.stringValue == "chat" ? "\(state), plain chat" : state
  }

  // MARK: show

  /// Prints what was said and done in a session.
  package static func show(_ configuration: Configuration, id: String, json: Bool) throws(CommandFailure) {
    let client = try BridgeClient.connect(configuration)
    let session = try client.get(BridgeClient.target(path + [id]))
    var items: [JSONValue] = []
    var (bytes, pages) = (0, 0)
    while true {
      let page = try client.measuredGet(
        BridgeClient.target(path + [id, "messages"], ["after": items.last?["id"]?.stringValue]))
      let entries = try client.entries(of: page.value)
      items += entries
      bytes += page.bytes
      pages += 1
      if entries.isEmpty || page.value["has_more"]?.boolValue != true { break }
      guard bytes < maxTranscriptBytes, pages < maxPages else {
        throw CommandFailure(.failed, "the conversation is too long to be shown; the API has it page by page")
      }
    }
    if json {
      var object = session.objectValue ?? JSONObject()
      object["messages"] = .array(items)
      return CommandOutput.print(json: .object(object))
    }
    CommandOutput.print(lines: SessionText.lines(session, items))
  }

  // MARK: forget

  /// Forgets sessions, one after the other, and says so of each.
  package static func forget(_ configuration: Configuration, ids: [String], json: Bool) throws(CommandFailure) {
    let client = try BridgeClient.connect(configuration)
    for id in ids {
      let answer = try client.delete(BridgeClient.target(path + [id]))
      guard answer["deleted"] == true else { throw client.noBridge("nothing was forgotten") }
      if json { CommandOutput.print(json: answer) } else { CommandOutput.print(lines: ["Forgot \(id.printable)"]) }
    }
  }
}
