// README.md and the articles for users against the program: every link leads somewhere, and settings, header fields and
// error codes are those of the source.

import Testing

@testable import Bridge

struct UserDocsTests {
  private static let articlePath = "\(MarkdownDocument.catalogue)/Users/API.md"
  /// Longer, it is a manual and no door.
  private static let maxReadmeLines = 120

  private let library = SourceTree.library
  private let article = MarkdownDocument(articlePath)

  @Test func readsTheDocuments() {
    #expect(MarkdownDocument.forUsers.count > 15)
    #expect(MarkdownDocument.everything.count > MarkdownDocument.forUsers.count)
    #expect(MarkdownDocument.anchor("`invalid_api_key`") == "invalid_api_key")
    #expect(MarkdownDocument.anchor("Privacy: what stays, and where") == "privacy-what-stays-and-where")
  }

  @Test func theReadmeIsShort() {
    let lines = MarkdownDocument("README.md").text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.count - 1 <= Self.maxReadmeLines)
  }

  // MARK: Links

  @Test func everyLinkLeadsSomewhere() {
    let anchors = Dictionary(uniqueKeysWithValues: MarkdownDocument.everything.map { ($0.path, $0.anchors) })
    for document in MarkdownDocument.everything {
      for link in document.links where !link.contains("://") {
        let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let target = document.resolved(parts[0])
        #expect(MarkdownDocument.exists(target), "\(document.path): \(link)")
        guard parts.count > 1, let known = anchors[target] else { continue }
        #expect(known.contains(String(parts[1])), "\(document.path): \(link)")
      }
    }
  }

  @Test func everyLinkBetweenPagesLeadsSomewhere() {
    let pages = Dictionary(uniqueKeysWithValues: MarkdownDocument.everything.map { ($0.name, $0.anchors) })
    for document in MarkdownDocument.everything {
      for link in document.docLinks {
        let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
        let name = parts[0].isEmpty ? document.name : String(parts[0])
        #expect(pages[name] != nil, "\(document.path): \(link)")
        guard parts.count > 1 else { continue }
        let anchor = MarkdownDocument.anchor(String(parts[1]))
        #expect(pages[name]?.contains(anchor) == true, "\(document.path): \(link)")
      }
    }
  }

  /// What is in no list is found by nobody.
  @Test func theIndexNamesEveryPage() {
    let index = MarkdownDocument("\(MarkdownDocument.catalogue)/Bridge.md")
    let pages = MarkdownDocument.everything.filter { $0.path.hasPrefix(MarkdownDocument.catalogue) }.map(\.name)
    for page in pages where page != index.name { #expect(index.docLinks.contains(page), "\(page)") }
  }

  @Test func theReadmeNamesEveryArticle() {
    let readme = MarkdownDocument("README.md")
    for article in MarkdownDocument.forUsers where article.path != readme.path && !article.path.contains("/zh/") {
      #expect(readme.links.contains { $0.hasPrefix(article.path) }, "\(article.path)")
    }
  }

  // MARK: Settings and header fields

  @Test func everySettingThatIsNamedExists() {
    let names = Set(Settings.all.map(\.name))
    for document in MarkdownDocument.forUsers {
      let named = Set(document.text.matches(of: /\bCODEX_[A-Z_]*[A-Z]/).map { String($0.0) })
      #expect(named.subtracting(names) == [], "\(document.path)")
    }
  }

  @Test func theArticleNamesEveryHeaderField() {
    let pattern = /x-bridge-[a-z-]*[a-z]/
    let fields = Set(library.flatMap(\.literals).filter { $0.wholeMatch(of: pattern) != nil })
    #expect(fields.count > 10)
    for field in fields { #expect(article.text.contains("`\(field)`"), "\(field)") }
    for document in MarkdownDocument.forUsers {
      let named = Set(document.text.lowercased().matches(of: pattern).map { String($0.0) })
      #expect(named.subtracting(fields) == [], "\(document.path)")
    }
  }

  // MARK: Error codes

  /// Each has a heading of its own, so that a link can lead to it.
  @Test func everyErrorCodeHasAHeading() {
    let headings = article.headings.compactMap { $0.wholeMatch(of: /`(\w+)`/).map { String($0.1) } }
    #expect(Set(headings).count == headings.count)
    let codes = sourceCodes.union(codexNames)
    #expect(codes.count > 60)
    #expect(codes.subtracting(headings) == [], "sent, and not in the article")
    #expect(Set(headings).subtracting(codes) == [], "in the article, and never sent")
  }

  /// Codes as they are written in the source.
  private var sourceCodes: Set<String> {
    let files = library.filter { !$0.path.hasPrefix("Demo/") }
    return Set(files.flatMap { codes(beside: $0) + codes(inTableOf: $0) })
  }

  /// `code: "overloaded"`, and `.notKept("response")`, whose code is made of the word. What stands in brackets, as in
  /// `error["code"]`, is the name of a member.
  private func codes(beside file: SwiftSource) -> [String] {
    lines(of: file, with: "code").flatMap { line in
      line.matches(of: /\bcode"?: ([^,]*)/).flatMap { match in
        match.1.matches(of: /(?:^|[^\[])"([a-z]+(?:_[a-z]+)*)"/).map { String($0.1) }
      }
    }
      + lines(of: file, with: "notKept(").compactMap { line in
        line.firstMatch(of: /notKept\("([a-z]+)"\)/).map { "\($0.1)_not_saved" }
      }
  }

  /// `case .starting: "starting"`, in the files that choose codes so.
  private func codes(inTableOf file: SwiftSource) -> [String] {
    switch file.path.split(separator: "/").last {
    case "FailureTable.swift", "EngineError.swift":
      let row = /.*case [^"]*: (?:\(\d+, (?:code \?\? )?)?"([a-z]+(?:_[a-z]+)*)"\)?/
      return lines(of: file, with: "case ").compactMap { line in line.wholeMatch(of: row).map { String($0.1) } }
    case "TurnFailure.swift", "TurnFailure+Codex.swift":
      return lines(of: file, with: "name: ").compactMap { line in
        line.firstMatch(of: /name: "([a-z_]+)"/).map { String($0.1) }
      }
    case "ResponseObjects.swift":
      let choice = /.*\? "([a-z_]+)" : "([a-z_]+)"/
      return lines(of: file, with: " ? ").compactMap { $0.wholeMatch(of: choice) }
        .flatMap { [String($0.1), String($0.2)] }
    default: return []
    }
  }

  /// A regular expression takes its time, so it sees few lines.
  private func lines(of file: SwiftSource, with text: String) -> [Substring] {
    file.text.contains(text) ? file.text.split(separator: "\n").filter { $0.contains(text) } : []
  }

  /// What becomes of Codex's own names.
  private var codexNames: Set<String> {
    Set(
      CodexErrorName.allCases.compactMap { name in
        APIError(TurnFailure(name: name.rawValue, upstreamStatus: nil, message: "", upstreamCode: nil)).code
      })
  }
}
