// The shape of the project, kept by reading its own source: layers, births of tasks, places of names.

import Testing

@testable import Bridge

struct ArchitectureTests {
  /// Which layers a layer may use (the table of the architecture page), besides itself.
  private static let below: [String: Set<String>] = {
    var below: [String: Set<String>] = [
      "Base": [],
      "EventLoop": ["Base"],
      "HTTP": ["EventLoop", "Base"],
      "Conversation": ["Base"],
      "Engine": ["Conversation", "EventLoop", "Base"],
      "Storage": ["EventLoop", "Base"],
      "Sessions": ["Storage", "Engine", "Conversation", "EventLoop", "Base"],
      "Dialects": ["Engine", "Conversation", "Base"],
      "Keys": ["HTTP", "EventLoop", "Base"],
      "Metrics": ["HTTP", "EventLoop", "Base"],
      "Images": ["HTTP", "Dialects", "Conversation", "EventLoop", "Base"],
    ]
    // From here on each layer may use all that come before it.
    for layer in ["Turns", "Gateway", "Dashboard", "Demo", "Server", "Terminal", "Commands"] {
      below[layer] = Set(below.keys)
    }
    below["Demo"]?.remove("Dashboard")
    below["bridged"] = ["Commands", "Server", "Terminal", "Sessions", "Engine", "EventLoop", "Base"]
    return below
  }()

  private let library = SourceTree.library
  private let program = SourceTree.program

  private var everything: [SwiftSource] { library + program }

  /// Names of visible types by the folder that declares them; `key` says what counts as a folder.
  private func declarations(_ key: (SwiftSource) -> String) -> [String: Set<String>] {
    var result: [String: Set<String>] = [:]
    for file in library { for name in file.declaredTypes.visible { result[name, default: []].insert(key(file)) } }
    return result
  }

  /// Types that a file uses and that are declared in other folders only.
  private func foreignTypes(_ file: SwiftSource, _ folder: String, _ declared: [String: Set<String>]) -> [String:
    Set<String>]
  {
    let own = file.declaredTypes
    var result: [String: Set<String>] = [:]
    // A name after a dot is a member, whatever else has the same name.
    for use in file.words where use.before != UInt8(ascii: ".") {
      let name = String(use.word)
      guard let folders = declared[name], !folders.contains(folder), !own.visible.contains(name),
        !own.hidden.contains(name)
      else { continue }
      result[name] = folders
    }
    return result
  }

  @Test func readsTheSource() {
    #expect(library.count > 40)
    #expect(declarations(\.layer)["RequestParser"] == ["HTTP"])
  }

  @Test func everyFolderIsALayer() {
    for file in library { #expect(Self.below[file.layer] != nil, "\(file.path)") }
  }

  @Test func layersLeanOneWay() {
    let declared = declarations(\.layer)
    let files = library.map { ($0, $0.layer) } + program.map { ($0, "bridged") }
    for (file, layer) in files {
      let allowed = Self.below[layer] ?? []
      for (name, folders) in foreignTypes(file, layer, declared).sorted(by: { $0.key < $1.key }) {
        #expect(
          !folders.isDisjoint(with: allowed),
          "\(file.path) uses \(name) of \(folders.sorted().joined(separator: ", "))")
      }
    }
  }

  /// Only `Engine/Codex` knows how the app-server speaks; the server and the terminal put it together with the rest.
  @Test func theAppServerIsKnownInOneFolder() {
    let folder = { (file: SwiftSource) in file.path.hasPrefix("Engine/Codex/") ? "Engine/Codex" : file.layer }
    let declared = declarations(folder)
    for file in library where folder(file) != "Engine/Codex" && !["Server", "Terminal"].contains(file.layer) {
      for (name, folders) in foreignTypes(file, folder(file), declared) where folders == ["Engine/Codex"] {
        Issue.record("\(file.path) uses \(name) of Engine/Codex")
      }
    }
  }

  /// Only `Sessions/Files` knows in what sessions are kept; the server and the terminal choose it.
  @Test func theStoreOfSessionsIsKnownInOneFolder() {
    let folder = { (file: SwiftSource) in file.path.hasPrefix("Sessions/Files/") ? "Sessions/Files" : file.layer }
    let declared = declarations(folder)
    for file in library where folder(file) != "Sessions/Files" && !["Server", "Terminal"].contains(file.layer) {
      for (name, folders) in foreignTypes(file, folder(file), declared) where folders == ["Sessions/Files"] {
        Issue.record("\(file.path) uses \(name) of Sessions/Files")
      }
    }
  }

  @Test func libuvStaysInTheEventLoop() {
    for file in everything where file.code.contains("import CLibUV") {
      #expect(file.layer == "EventLoop", "\(file.path)")
    }
    for file in everything where file.layer != "EventLoop" {
      for use in file.words where use.word.hasPrefix("uv_") || use.word.hasPrefix("UV_") {
        Issue.record("\(file.path) says \(use.word)")
      }
    }
  }

  @Test func widthsOfCharactersAreTheTerminals() {
    for file in everything where file.code.contains("import CUtf8proc") {
      #expect(file.layer == "Terminal", "\(file.path)")
    }
  }

  @Test func theHTTPLayerKnowsNoJSON() {
    for file in library where file.layer == "HTTP" {
      for use in file.words where use.word.hasPrefix("JSON") { Issue.record("\(file.path) says \(use.word)") }
    }
  }

  @Test func isolationIsOverriddenInOneFile() {
    for file in everything where file.path != "EventLoop/LoopActor.swift" {
      for phrase in ["@unchecked Sendable", "nonisolated(unsafe)"] {
        #expect(!file.code.contains(phrase), "\(file.path) says \(phrase)")
      }
    }
  }

  /// A task that is born elsewhere does not prefer the loop and makes a detour through the global pool each time.
  @Test func tasksAreBornInOneFile() {
    for file in everything where file.path != "EventLoop/Loop.swift" {
      for use in file.words where use.word == "Task" {
        let next = use.rest.drop { $0 == " " || $0 == "\n" }
        let isBirth = [".detached", ".init", ".immediate", "(", "{"].contains { next.hasPrefix($0) }
        #expect(!isBirth, "\(file.path)")
      }
    }
  }

  /// A wait that is made by hand loses a wake-up, or is resumed twice, sooner or later.
  @Test func tasksAreSuspendedInOneFile() {
    for file in everything where file.path != "EventLoop/Waiter.swift" {
      for use in file.words {
        let word = use.word
        let isContinuation =
          word.hasPrefix("withUnsafe") && word.hasSuffix("Continuation") || word.hasPrefix("withChecked")
          || ["UnsafeContinuation", "CheckedContinuation"].contains(word)
        #expect(!isContinuation, "\(file.path) says \(word)")
      }
    }
  }

  @Test func theEnvironmentIsReadInOneFile() {
    for file in everything where file.path != "Base/Configuration.swift" {
      for use in file.words
      where ["environ", "getenv", "secure_getenv", "setenv", "ProcessInfo"].contains(use.word) {
        Issue.record("\(file.path) says \(use.word)")
      }
    }
  }

  @Test func namesOfTheAppServerStandInOneFolder() throws {
    let methods = try #require(library.first { $0.path == "Engine/Codex/Methods.swift" })
    // A plain word such as `error` is nobody's own.
    let names = Set(methods.literals.filter { $0.contains("/") || $0.hasSuffix("Warning") })
      .union(CodexErrorName.allCases.map(\.rawValue)).subtracting(["other"])
    #expect(names.contains("turn/start") && names.contains("usageLimitExceeded"))
    for file in everything where !file.path.hasPrefix("Engine/Codex/") {
      for literal in file.literals
      where names.contains(literal) || literal.contains("thread/") || literal.contains("turn/") {
        Issue.record("\(file.path) says “\(literal)”")
      }
    }
  }

  /// What a client is told of a failure is decided in one table. A 400 says what is wrong with one field of a request, and is
  /// made where that field is read, by `APIError.invalid`, which stands beside the type.
  @Test func everyErrorComesFromTheTable() {
    let table = ["Turns/FailureTable.swift", "Turns/RefusalTable.swift", "Dialects/APIError.swift"]
    var inTheTable = 0
    for file in everything {
      for use in file.words where use.word == "APIError" {
        let isLiteral =
          use.rest.hasPrefix("(") && use.rest.dropFirst().drop(while: \.isWhitespace).hasPrefix("status:")
        guard isLiteral else { continue }
        if table.contains(file.path) { inTheTable += 1 } else { Issue.record("\(file.path) makes an error") }
      }
    }
    #expect(inTheTable > 10)
  }

  @Test func nothingTrapsOnPurpose() {
    for file in everything {
      for phrase in ["try!", "as!"] { #expect(!file.code.contains(phrase), "\(file.path) says \(phrase)") }
      for use in file.words where use.word == "fatalError" { Issue.record("\(file.path) says \(use.word)") }
    }
  }

  @Test func everyFileOpensWithAComment() {
    for file in library { #expect(file.text.hasPrefix("// "), "\(file.path)") }
  }

  /// Longer ones have more than one subject.
  @Test func nothingIsTooLong() {
    let files = everything.map { ($0.path, $0.text.utf8.count { $0 == 0x0A }) }.sorted { $0.1 > $1.1 }
    let functions = everything.flatMap(\.functions).sorted { $0.lines > $1.lines }
    #expect(functions.count > 200)
    print("longest files:")
    for (path, lines) in files.prefix(10) { print("  \(lines)  \(path)") }
    print("longest functions:")
    for (name, lines) in functions.prefix(10) { print("  \(lines)  \(name)") }
    for (path, lines) in files { #expect(lines <= 400, "\(path)") }
    for (name, lines) in functions { #expect(lines <= 60, "\(name)") }
  }

  @Test func noScriptOfThePageIsTooLong() {
    // One table of all the page's words, a row for each: it has one subject at any length.
    let exempt = ["language.js"]
    let folder = "\(SourceTree.root)/Sources/Bridge/Dashboard/Page"
    let scripts = ScratchDirectory.names(in: folder).filter { $0.hasSuffix(".js") && !exempt.contains($0) }
    #expect(scripts.count > 10)
    for name in scripts {
      let lines = SourceTree.text("\(folder)/\(name)")?.utf8.count { $0 == 0x0A }
      #expect(lines.map { $0 <= 400 } == true, "\(name)")
    }
  }
}
