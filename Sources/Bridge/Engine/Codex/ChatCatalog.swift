// A model catalogue for Codex in which no model brings tools of its own: most models would offer two of theirs otherwise, with
// 9 KB of instructions. Owns the file and what is in it.

/// The catalogue that engines of the plain chat are started with.
@LoopActor
final class ChatCatalog {
  /// In the state directory, for its owner alone.
  static let fileName = ".codex_chat_models.json"
  /// Codex's own catalogue has some 700 KB. A larger one than this is none.
  private static let maxBytes = 32 << 20
  /// How long Codex may take to write it. With less, a busy machine goes without; with more, its first chat waits longer.
  private static let limit = Duration.seconds(10)

  private enum State {
    case unmade
    /// Made by a program, of which this is the file.
    case made(by: FileVersion, models: Set<String>)
    /// That program cannot make it.
    case failed(FileVersion?)
  }

  private let path: String
  private let notices: EngineNotices
  private var state = State.unmade
  /// Finished when nobody makes it.
  private var making: Waiter<Void>?

  init(directory: String, notices: EngineNotices) {
    path = "\(directory)/\(Self.fileName)"
    self.notices = notices
  }

  /// Makes the file, unless this Codex has made it before or could not. Never fails: without it models keep their tools.
  func prepare(with command: ChildCommand) async {
    if let making { return await making.value() }
    guard let executable = command.locate() else { return }
    let version = FileVersion(executable)
    switch state {
    case .made(let known, _) where known == version: return
    case .failed(let known) where known == version: return
    case .made, .failed, .unmade: break
    }
    let waiter = Waiter<Void>()
    making = waiter
    do throws(ProgramFailure) {
      let models = try await make(command, executable)
      state = version.map { .made(by: $0, models: models) } ?? .unmade
    } catch {
      state = .failed(version)
      Log.warning(
        "the plain chat runs without a model catalogue of its own: models of the gpt-5.6 and gpt-6 families keep two tools",
        ["reason": error])
    }
    making = nil
    waiter.finish()
  }

  private func make(_ command: ChildCommand, _ executable: String) async throws(ProgramFailure) -> Set<String> {
    let catalog = try await Self.read(with: command, executable)
    return try await Loop.offLoop { [path] () -> Result<Set<String>, ProgramFailure> in
      do throws(FileError) {
        try FileContents.replace(path, with: catalog.bytes)
        return .success(catalog.models)
      } catch {
        return .failure(ProgramFailure(description: "\(path): \(error)"))
      }
    }.get()
  }

  /// A catalogue, without the tools that models bring, and its models.
  struct Contents: Sendable {
    let bytes: [UInt8]
    let models: Set<String>
  }

  /// Asks Codex for its catalogue. Throws why there is none that can be used.
  static func read(with command: ChildCommand) async throws(ProgramFailure) -> Contents {
    guard let executable = command.locate() else { throw ProgramFailure(description: "Codex is not there") }
    return try await read(with: command, executable)
  }

  private static func read(
    with command: ChildCommand, _ executable: String
  ) async throws(ProgramFailure) -> Contents {
    let bytes = try await ProgramOutput.read(
      of: command.command(executable: executable, arguments: ["debug", "models", "--bundled"]),
      maxBytes: maxBytes, within: limit)
    guard let contents = await Loop.offLoop({ withoutTools(bytes) }) else {
      throw ProgramFailure(description: "Codex's list of models cannot be read")
    }
    return contents
  }

  /// What Codex has written without tools; nil if it is no catalogue.
  nonisolated static func withoutTools(_ bytes: [UInt8]) -> Contents? {
    guard let value = try? JSONValue(parsing: bytes), var catalog = value.objectValue,
      let models = catalog["models"]?.arrayValue, !models.isEmpty
    else { return nil }
    var names: Set<String> = []
    var plain: [JSONValue] = []
    for model in models {
      guard var facts = model.objectValue, let name = facts["slug"]?.stringValue else { return nil }
      names.insert(name)
      facts["tool_mode"] = "direct"
      facts["experimental_supported_tools"] = []
      plain.append(.object(facts))
    }
    catalog["models"] = .array(plain)
    return Contents(bytes: JSONValue.object(catalog).jsonBytes, models: names)
  }

  /// The setting that makes `executable` use the file; nil if another program has made it, or none. A string of JSON is one
  /// of TOML.
  func override(for executable: String) -> String? {
    guard case .made(let version, _) = state, FileVersion(executable) == version else { return nil }
    return "model_catalog_json=\(JSONValue.string(path).jsonText)"
  }

  /// Whether a model loses its tools by it. One that it does not list would lose what Codex knows of it, too.
  func serves(_ model: String?) -> Bool {
    guard case .made(_, let models) = state, let model, !models.contains(model) else { return true }
    if notices.isFirst("a model without a plain catalogue: \(model)") {
      Log.info(
        "a model is not in the catalogue of the plain chat and keeps the tools that Codex gives it there",
        ["model": model])
    }
    return false
  }
}
