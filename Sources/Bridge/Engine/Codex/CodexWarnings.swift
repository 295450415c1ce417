// What Codex warns of, and what it should warn of and does not: lines of the log, each once.

/// The warnings of a Codex process.
@LoopActor
final class CodexWarnings {
  /// Of what an MCP server says in its defence.
  private static let reasonCharacters = 500

  private let server: AppServer
  private let directory: String
  private let usesSandbox: Bool
  private let notices: EngineNotices

  /// Those of a process that runs in `directory`; its sandbox is only looked after if it is used.
  init(server: AppServer, directory: String, usesSandbox: Bool, notices: EngineNotices) {
    self.server = server
    self.directory = directory
    self.usesSandbox = usesSandbox
    self.notices = notices
  }

  /// Takes a `warning` or `configWarning`.
  func warned(_ params: JSONValue) {
    let text = params["summary"]?.stringValue ?? params["message"]?.stringValue ?? ""
    guard notices.isNew(text) else { return }
    if text.contains("bubblewrap") { return checkSandbox(text) }
    Log.info("Codex warns", ["warning": text])
  }

  /// Codex brings a bubblewrap of its own, which mostly does: it is tried before anybody is bothered.
  private func checkSandbox(_ hint: String) {
    guard usesSandbox else { return }
    Loop.spawn {
      await self.server.waitWhileStarting()
      guard self.server.rpc != nil,
        let failure = await self.server.sandboxFailure(in: self.directory)
      else { return }
      Log.warning("Codex's sandbox does not work", ["reason": failure, "hint": hint])
    }
  }

  /// Takes the state of an MCP server, which is told for each thread.
  func toolServerChanged(_ params: JSONValue) {
    guard params["status"]?.stringValue == "failed", let name = params["name"]?.stringValue else { return }
    let reason = String((params["error"]?.stringValue ?? "no reason given").prefix(Self.reasonCharacters))
    guard notices.isNew("\(name): \(reason)") else { return }
    Log.warning("an MCP server of Codex does not start", ["server": name, "reason": reason])
  }

  /// Takes the files that a thread has its instructions from; all of a project's may have `limit` bytes together.
  func checkInstructions(_ files: [String], limit: Int) {
    guard !files.isEmpty, notices.isNew("instructions: \(files.joined(separator: ":"))") else { return }
    for file in InstructionFiles.cut(files, home: server.home, limit: limit) {
      Log.warning(
        "Codex reads only the beginning of a file of instructions; raise project_doc_max_bytes in its configuration",
        ["file": file.path, "bytes": file.bytes, "limit": limit])
    }
  }
}
