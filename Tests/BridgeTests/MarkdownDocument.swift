// Markdown files of the checkout, taken apart for the tests that look after the documents.

import Glibc

/// A document, with its path from the root of the checkout.
struct MarkdownDocument: Sendable {
  /// Where the catalogue of DocC is.
  static let catalogue = "Sources/Bridge/Bridge.docc"

  let path: String
  let text: String
  /// The lines outside of code blocks.
  let prose: [Substring]

  init(path: String, text: String) {
    self.path = path
    self.text = text
    var isCode = false
    prose = text.split(separator: "\n", omittingEmptySubsequences: false).filter { line in
      let isFence = line.hasPrefix("```")
      if isFence { isCode.toggle() }
      return !isCode && !isFence
    }
  }

  init(_ path: String) {
    self.init(path: path, text: SourceTree.text("\(SourceTree.root)/\(path)") ?? "")
  }

  /// README.md and the articles for users.
  static let forUsers = [MarkdownDocument("README.md")] + all(in: "\(catalogue)/Users")
  /// README.md and the whole catalogue.
  static let everything = [MarkdownDocument("README.md")] + all(in: catalogue)

  private static func all(in folder: String) -> [MarkdownDocument] {
    ScratchDirectory.names(in: "\(SourceTree.root)/\(folder)").flatMap { name in
      name.hasSuffix(".md") ? [MarkdownDocument("\(folder)/\(name)")] : all(in: "\(folder)/\(name)")
    }
  }

  /// The name by which DocC knows the document.
  var name: String { String(path.split(separator: "/").last?.dropLast(".md".count) ?? "") }

  /// The texts of the headings.
  var headings: [String] {
    prose.compactMap { $0.prefixMatch(of: /#+ +(.+)/).map { String($0.1) } }
  }

  /// What may follow the `#` of a link to the document.
  var anchors: Set<String> { Set(headings.map(Self.anchor)) }

  /// The anchor of a heading as code forges make it: in lower case, blanks as hyphens, without punctuation.
  static func anchor(_ heading: String) -> String {
    String(
      heading.lowercased().compactMap { character -> Character? in
        if character == " " { return "-" }
        return character.isLetter || character.isNumber || "-_".contains(character) ? character : nil
      })
  }

  /// Targets of links such as `[text](target)`.
  var links: [String] {
    prose.flatMap { line in line.matches(of: /\]\(([^)\s]+)\)/).map { String($0.1) } }
  }

  /// Targets of links such as `<doc:target>`.
  var docLinks: [String] {
    prose.flatMap { line in line.matches(of: /<doc:([^>\s]+)>/).map { String($0.1) } }
  }

  /// A path that a link names, from the root of the checkout; the document itself for an empty one.
  func resolved(_ target: Substring) -> String {
    if target.isEmpty { return path }
    var parts = path.split(separator: "/").dropLast()
    for part in target.split(separator: "/") {
      if part == ".." { _ = parts.popLast() } else if part != "." { parts.append(part) }
    }
    return parts.joined(separator: "/")
  }

  /// Whether there is a file or folder of this path in the checkout.
  static func exists(_ path: String) -> Bool { access("\(SourceTree.root)/\(path)", F_OK) == 0 }
}
