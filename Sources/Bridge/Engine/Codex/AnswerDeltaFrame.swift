// Hundreds of lines in a row differ in their text and in the engine's clock alone. One of them is parsed; what it has
// in common with the next is compared as bytes, which costs a tenth.

/// What surrounds the text in the lines of one message, from a line that was parsed.
///
/// A class: it is looked at once per token, and a struct of this size would be copied each time.
final class AnswerDeltaFrame: Sendable {
  /// A longer line is not worth being kept; the next is mostly shorter.
  private static let maxBytes = 4096

  /// Where the message's id lies in each of its lines.
  let itemID: Range<Int>
  private let line: [UInt8]
  /// From the first byte to the quote before the text.
  private let head: Range<Int>
  /// From the quote behind the text to the last byte, without the clock.
  private let tail: (Range<Int>, Range<Int>)
  /// The digits of the time that Codex adds to each notification; empty if it has added none.
  private let clock: Range<Int>

  /// Nil when an id stands behind the text, where it could pass for the clock, and for a very long line.
  init?(_ delta: AnswerDelta, _ line: Span<UInt8>) {
    let text = delta.text
    guard line.count <= Self.maxBytes, delta.threadID.upperBound < text.lowerBound,
      delta.turnID.upperBound < text.lowerBound,
      delta.itemID.upperBound < text.lowerBound
    else { return nil }
    var clockEnd = line.count
    while clockEnd > text.upperBound, !line[clockEnd - 1].isDigit { clockEnd -= 1 }
    var clockStart = clockEnd
    while clockStart > text.upperBound, line[clockStart - 1].isDigit { clockStart -= 1 }
    self.line = line.array
    itemID = delta.itemID
    head = 0..<text.lowerBound
    clock = clockStart..<clockEnd
    tail = (text.upperBound..<clockStart, clockEnd..<line.count)
  }

  /// Where `line` has its text; nil when it differs in more than its text and its clock.
  ///
  /// A line that is taken would be parsed to the same: around valid text and digits for digits it is a line that was.
  func text(of line: Span<UInt8>) -> Range<Int>? {
    let known = self.line
    let growth = line.count - known.count
    let textEnd = tail.0.lowerBound + growth
    guard textEnd >= head.upperBound, line.has(known.span, head, movedBy: 0),
      line.has(known.span, tail.0, movedBy: growth), line.has(known.span, tail.1, movedBy: growth),
      hasClock(line, growth)
    else { return nil }
    var scanner = JSONScanner(at: head.upperBound - 1)
    guard let (range, hasEscapes) = try? scanner.string(line), range == head.upperBound..<textEnd,
      (try? AnswerDelta.isText(line.extracting(range), hasEscapes: hasEscapes)) == true
    else { return nil }
    return range
  }

  /// As many digits, of which the first is no zero: a number in JSON as the one before was.
  private func hasClock(_ line: Span<UInt8>, _ offset: Int) -> Bool {
    var index = clock.lowerBound + offset
    let end = clock.upperBound + offset
    guard index < end else { return true }
    guard line[index] != 0x30 else { return false }
    while index < end, line[index].isDigit { index += 1 }
    return index == end
  }
}

extension Span<UInt8> {
  /// Whether the bytes in `range` of `other` are here too, that much further on.
  fileprivate func has(_ other: Span<UInt8>, _ range: Range<Int>, movedBy offset: Int) -> Bool {
    extracting(range.lowerBound + offset..<range.upperBound + offset).isEqual(to: other.extracting(range))
  }
}
