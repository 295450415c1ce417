// The project's own source text, read for the tests that look after its shape.

import Testing

@testable import Bridge

/// Files of the checkout these tests were compiled from.
enum SourceTree {
  /// The root of the checkout.
  static let root: String = {
    let parts = #filePath.split(separator: "/")
    return "/" + parts.dropLast(3).joined(separator: "/")
  }()

  static func text(_ path: String) -> String? {
    guard case .bytes(let bytes) = FileContents.read(path, limit: 1 << 24) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The library's files, with their paths inside its folder. Read once: to take them apart is most of the work of the tests
  /// that look at them.
  static let library = swiftFiles(in: "Sources/Bridge")
  /// The program's files.
  static let program = swiftFiles(in: "Sources/bridged")

  private static func swiftFiles(in folder: String) -> [SwiftSource] {
    paths(in: "\(root)/\(folder)", prefix: "").compactMap { path in
      text("\(root)/\(folder)/\(path)").map { SwiftSource(path: path, text: $0) }
    }
  }

  private static func paths(in folder: String, prefix: String) -> [String] {
    ScratchDirectory.names(in: folder).flatMap { name in
      name.hasSuffix(".swift") ? [prefix + name] : paths(in: "\(folder)/\(name)", prefix: "\(prefix)\(name)/")
    }
  }
}

/// A source file, taken apart as far as these tests need it.
struct SwiftSource: Sendable {
  let path: String
  let text: String
  /// The code without comments and with empty string literals; line breaks are kept.
  let code: String
  /// What stands in string literals.
  let literals: [String]
  /// Identifiers with what stands before and after them, blanks left out.
  let words: [(before: UInt8, word: Substring, rest: Substring)]
  /// Names of types declared in this file: those that other files can see, and all others.
  let declaredTypes: (visible: Set<String>, hidden: Set<String>)

  init(path: String, text: String) {
    self.path = path
    self.text = text
    var lexer = SwiftLexer(text)
    lexer.scan()
    code = String(decoding: lexer.code, as: UTF8.self)
    literals = lexer.literals
    words = Self.words(of: code)
    declaredTypes = Self.declaredTypes(in: code)
  }

  /// The first folder of the path.
  var layer: String { String(path.split(separator: "/").first ?? "") }

  private static func words(of code: String) -> [(before: UInt8, word: Substring, rest: Substring)] {
    var result: [(before: UInt8, word: Substring, rest: Substring)] = []
    var rest = code[...]
    var before = UInt8(ascii: " ")
    while let first = rest.utf8.first {
      guard isWordByte(first) else {
        if first != UInt8(ascii: " "), first != UInt8(ascii: "\n") { before = first }
        rest = rest[rest.utf8.index(after: rest.startIndex)...]
        continue
      }
      let end = rest.utf8.firstIndex { !isWordByte($0) } ?? rest.endIndex
      result.append((before, rest[..<end], rest[end...]))
      rest = rest[end...]
      before = first
    }
    return result
  }

  private static func declaredTypes(in code: String) -> (visible: Set<String>, hidden: Set<String>) {
    let pattern =
      /(?<lead>(?:@?\w+(?:\(\w*\))? +)*)(?:struct|class|enum|protocol|actor|typealias) +(?<name>[A-Z]\w*)/
    var visible: Set<String> = []
    var hidden: Set<String> = []
    for line in code.split(separator: "\n") {
      let unindented = line.drop { $0 == " " }
      guard let match = unindented.prefixMatch(of: pattern) else { continue }
      let isPrivate = match.lead.contains("private")
      if unindented.startIndex == line.startIndex, !isPrivate {
        visible.insert(String(match.name))
      } else {
        hidden.insert(String(match.name))
      }
    }
    return (visible, hidden)
  }

  /// Names and lengths in lines of functions and initialisers.
  var functions: [(name: String, lines: Int)] {
    let lines = code.components(separatedBy: "\n")
    var result: [(name: String, lines: Int)] = []
    for (index, line) in lines.enumerated() {
      guard let match = line.firstMatch(of: /\b(?:func +(\w+)|(init)[?]?[(<])/), !line.contains(".init(") else {
        continue
      }
      var depth = 0
      var isOpen = false
      for (last, line) in lines[index...].enumerated() {
        if last > 0, !isOpen, line.contains("func ") || line.hasPrefix("}") { break }
        for byte in line.utf8 {
          if byte == UInt8(ascii: "{") {
            depth += 1
            isOpen = true
          } else if byte == UInt8(ascii: "}") {
            depth -= 1
          }
        }
        if isOpen, depth <= 0 {
          result.append(("\(path): \(match.1 ?? match.2 ?? "")", last + 1))
          break
        }
      }
    }
    return result
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"): true
    default: false
    }
  }
}

/// Tells code from comments and string literals; code inside interpolations counts as code.
private struct SwiftLexer {
  private let bytes: [UInt8]
  private var index = 0
  private(set) var code: [UInt8] = []
  private(set) var literals: [String] = []

  init(_ text: String) { bytes = Array(text.utf8) }

  mutating func scan() {
    while index < bytes.count { scanCode() }
  }

  /// Scans to the end, or to the parenthesis that ends an interpolation.
  private mutating func scanCode() {
    var depth = 0
    while index < bytes.count {
      if isNext("//") {
        while index < bytes.count, bytes[index] != 0x0A { index += 1 }
        continue
      }
      if isNext("/*") {
        while index < bytes.count, !isNext("*/") { index += 1 }
        index += 2
        continue
      }
      let hashes = bytes[index...].prefix { $0 == UInt8(ascii: "#") }.count
      if index + hashes < bytes.count, bytes[index + hashes] == UInt8(ascii: "\"") {
        scanString(hashes)
        continue
      }
      if bytes[index] == UInt8(ascii: "(") { depth += 1 }
      if bytes[index] == UInt8(ascii: ")") { depth -= 1 }
      code.append(bytes[index])
      index += 1
      if depth < 0 { return }
    }
  }

  private mutating func scanString(_ hashes: Int) {
    let fence = String(repeating: "#", count: hashes)
    index += hashes
    let quotes = isNext("\"\"\"") ? "\"\"\"" : "\""
    index += quotes.utf8.count
    code += Array("\"\"".utf8)
    var literal: [UInt8] = []
    while index < bytes.count, !isNext(quotes + fence) {
      if isNext("\\" + fence + "(") {
        index += 2 + hashes
        code.append(UInt8(ascii: "("))
        scanCode()
        literal.append(UInt8(ascii: " "))
      } else if isNext("\\" + fence) {
        literal += bytes[index..<min(index + 2 + hashes, bytes.count)]
        index += 2 + hashes
      } else {
        if bytes[index] == 0x0A { code.append(0x0A) }
        literal.append(bytes[index])
        index += 1
      }
    }
    index += quotes.utf8.count + hashes
    literals.append(String(decoding: literal, as: UTF8.self))
  }

  private func isNext(_ text: String) -> Bool { bytes[index...].starts(with: text.utf8) }
}
