// Writes warnings about Codex to the log, each once: those that Codex sends, and those about instruction files that it cuts
// without a warning.

/// The warnings of a Codex process.
@LoopActor
final class CodexWarnings {
  /// The reason that an MCP server gives for its failure is cut to this for the log.
  private static let maxReasonCharacters = 500

  private let server: AppServer
  private let directory: String
  private let usesSandbox: Bool
  private let notices: EngineNotices

  /// `directory` is where the process runs. A broken sandbox is warned of only if `usesSandbox`.
  init(server: AppServer, directory: String, usesSandbox: Bool, notices: EngineNotices) {
    self.server = server
    self.directory = directory
    self.usesSandbox = usesSandbox
    self.notices = notices
  }

  /// Takes a `warning` or `configWarning`.
  func warned(_ params: JSONValue) {
    let text = params["summary"]?.stringValue ?? params["message"]?.stringValue ?? ""
    guard notices.isFirst(text) else { return }
    if text.contains("bubblewrap") { return checkSandbox(text) }
    Log.info("Codex warns", ["warning": text])
  }

  /// Codex warns when the system has no bubblewrap. It mostly works with the one that Codex brings, so the sandbox is tried
  /// before anybody is warned.
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

  /// Takes the state of an MCP server, which Codex reports for each thread.
  func toolServerChanged(_ params: JSONValue) {
    guard params["status"]?.stringValue == "failed", let name = params["name"]?.stringValue else { return }
    let reason = String((params["error"]?.stringValue ?? "no reason given").prefix(Self.maxReasonCharacters))
    guard notices.isFirst("\(name): \(reason)") else { return }
    Log.warning("an MCP server of Codex does not start", ["server": name, "reason": reason])
  }

  /// Warns of instruction files of a thread that Codex does not read to the end. The files of a project may have `limit`
  /// bytes together.
  func checkInstructions(_ files: [String], limit: Int) {
    guard !files.isEmpty, notices.isFirst("instructions: \(files.joined(separator: ":"))") else { return }
    for file in InstructionFiles.cutFiles(files, home: server.home, limit: limit) {
      Log.warning(
        "Codex reads only the beginning of a file of instructions; raise project_doc_max_bytes in its configuration",
        ["file": file.path, "bytes": file.bytes, "limit": limit])
    }
  }
}
