// Emphasis and code within a line of Markdown (CommonMark 0.31 §6, as far as models use it), decided as the line comes. Pure.

/// The part of a line that is not decided yet, and what is known of the rest.
struct MarkdownInline: Sendable {
  /// A piece of a line in one style.
  struct Span: Equatable, Sendable {
    var text: String
    var style: TextStyle
  }

  /// Scalars behind a mark in which its other end is looked for. With more, a line with a lone star in it comes later; with
  /// less, long bold sentences are shown as they were written.
  static let maxHeld = 400
  private static let escapable = Set("*_`#|~>\\".unicodeScalars)

  private var pending: [UnicodeScalar] = []
  private var previous: UnicodeScalar?
  private let base: TextStyle

  /// A line whose whole text has the style `base`.
  init(base: TextStyle = []) { self.base = base }

  /// Adds text; returns what is decided.
  mutating func add(_ text: some Sequence<UnicodeScalar>) -> [Span] {
    pending += text
    return take(isEnd: false)
  }

  /// Returns the rest of the line.
  mutating func finish() -> [Span] { take(isEnd: true) }

  /// The spans of a whole text.
  static func spans(of text: String, base: TextStyle = []) -> [Span] {
    var inline = MarkdownInline(base: base)
    return inline.add(text.unicodeScalars) + inline.finish()
  }

  private mutating func take(isEnd: Bool) -> [Span] {
    var spans: [Span] = []
    var index = 0
    while index < pending.count {
      guard let next = step(at: index, isEnd: isEnd, &spans) else { break }
      previous = pending[next - 1]
      index = next
    }
    pending.removeFirst(index)
    return spans
  }

  /// Takes what begins at `index`; returns where it ends, nil if that is not known yet.
  private func step(at index: Int, isEnd: Bool, _ spans: inout [Span]) -> Int? {
    let scalar = pending[index]
    switch scalar {
    case "\\":
      guard index + 1 < pending.count else { return isEnd ? literal(index, 1, &spans) : nil }
      guard Self.escapable.contains(pending[index + 1]) else { return literal(index, 1, &spans) }
      append(pending[(index + 1)...(index + 1)], [], &spans)
      return index + 2
    case "`", "*", "_":
      let run = pending[index...].prefix { $0 == scalar }.count
      let after = index + run
      // More of the mark may come.
      if after == pending.count, !isEnd { return nil }
      guard run <= 3 || scalar == "`", opens(scalar, at: index, after: after) else {
        return literal(index, run, &spans)
      }
      switch end(of: scalar, run, from: after, isEnd: isEnd) {
      case .found(let end):
        appendMarked(pending[after..<end], scalar, run, &spans)
        return end + run
      case .none: return literal(index, run, &spans)
      case .unknown: return nil
      }
    default: return literal(index, 1, &spans)
    }
  }

  private enum End {
    case found(Int)
    case none
    case unknown
  }

  private func opens(_ mark: UnicodeScalar, at index: Int, after: Int) -> Bool {
    guard after < pending.count else { return false }
    if mark == "`" { return true }
    let before = index > 0 ? pending[index - 1] : previous
    guard !pending[after].properties.isWhitespace else { return false }
    // Within a word of letters a mark is mostly part of a name.
    return before.map { !Self.isWord($0) } ?? true
  }

  private func end(of mark: UnicodeScalar, _ run: Int, from start: Int, isEnd: Bool) -> End {
    let limit = min(pending.count, start + Self.maxHeld)
    var index = start
    while index < limit {
      guard pending[index] == mark else {
        index += pending[index] == "\\" && mark != "`" ? 2 : 1
        continue
      }
      let length = pending[index...].prefix { $0 == mark }.count
      if index + length == pending.count, !isEnd, length <= run { return .unknown }
      if length == run, index > start, closes(mark, at: index, after: index + length) { return .found(index) }
      index += length
    }
    return isEnd || limit < pending.count || pending.count - start >= Self.maxHeld ? .none : .unknown
  }

  private func closes(_ mark: UnicodeScalar, at index: Int, after: Int) -> Bool {
    if mark == "`" { return true }
    guard !pending[index - 1].properties.isWhitespace else { return false }
    return mark == "*" || after >= pending.count || !Self.isWord(pending[after])
  }

  /// Letters and digits of scripts whose words have spaces between them.
  private static func isWord(_ scalar: UnicodeScalar) -> Bool {
    scalar.isASCII && (scalar.properties.isAlphabetic || scalar.properties.numericType != nil)
  }

  private func appendMarked(
    _ content: ArraySlice<UnicodeScalar>, _ mark: UnicodeScalar, _ run: Int, _ spans: inout [Span]
  ) {
    guard mark != "`" else {
      // One blank at each end is there so that the code may begin with a mark.
      let isPadded = content.count > 2 && content.first == " " && content.last == " "
      return append(isPadded ? content.dropFirst().dropLast() : content, .code, &spans)
    }
    let style: TextStyle = run == 1 ? .italic : run == 2 ? .bold : [.bold, .italic]
    var text = ""
    text.unicodeScalars.append(contentsOf: content)
    for span in Self.spans(of: text, base: base.union(style)) {
      append(span.text.unicodeScalars, span.style, &spans)
    }
  }

  private func literal(_ index: Int, _ count: Int, _ spans: inout [Span]) -> Int {
    append(pending[index..<index + count], [], &spans)
    return index + count
  }

  private func append(_ text: some Sequence<UnicodeScalar>, _ style: TextStyle, _ spans: inout [Span]) {
    let style = base.union(style)
    if spans.last?.style != style { spans.append(Span(text: "", style: style)) }
    spans[spans.count - 1].text.unicodeScalars.append(contentsOf: text)
  }
}
