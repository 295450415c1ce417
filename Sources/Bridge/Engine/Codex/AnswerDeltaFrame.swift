// Hundreds of lines in a row differ in their text and in the engine's clock alone. One of them is parsed; what it has
// in common with the next is compared as bytes, which costs a tenth.

/// What surrounds the text in the lines of one message, from a line that was parsed.
struct AnswerDeltaFrame: Sendable {
  private let line: [UInt8]
  /// From the first byte to the quote before the text.
  private let head: Range<Int>
  /// From the quote behind the text to the last byte, without the clock.
  private let tail: (Range<Int>, Range<Int>)
  /// The digits of the time that Codex adds to each notification; empty if it has added none.
  private let clock: Range<Int>
  private let delta: AnswerDelta

  /// Nil when an id stands behind the text, where it could pass for the clock.
  init?(_ delta: AnswerDelta, _ line: Span<UInt8>) {
    let text = delta.rawText
    guard delta.threadID.upperBound < text.lowerBound, delta.turnID.upperBound < text.lowerBound,
      delta.itemID.upperBound < text.lowerBound
    else { return nil }
    var clockEnd = line.count
    while clockEnd > text.upperBound, !Self.isDigit(line[clockEnd - 1]) { clockEnd -= 1 }
    var clockStart = clockEnd
    while clockStart > text.upperBound, Self.isDigit(line[clockStart - 1]) { clockStart -= 1 }
    self.line = line.array
    self.delta = delta
    head = 0..<text.lowerBound
    clock = clockStart..<clockEnd
    tail = (text.upperBound..<clockStart, clockEnd..<line.count)
  }

  /// What `line` says; nil when it differs in more than its text and its clock.
  ///
  /// A line that is taken would be parsed to the same: around valid text and digits for digits it is a line that was.
  func delta(in line: Span<UInt8>) -> AnswerDelta? {
    let growth = line.count - self.line.count
    let textEnd = tail.0.lowerBound + growth
    guard textEnd >= head.upperBound, has(head, line, 0), has(tail.0, line, growth), has(tail.1, line, growth),
      hasClock(line, growth)
    else { return nil }
    return delta.with(text: head.upperBound..<textEnd, of: line)
  }

  private func has(_ range: Range<Int>, _ line: Span<UInt8>, _ offset: Int) -> Bool {
    line.extracting(range.lowerBound + offset..<range.upperBound + offset).isEqual(
      to: self.line.span.extracting(range))
  }

  /// As many digits, of which the first is no zero: a number in JSON as the one before was.
  private func hasClock(_ line: Span<UInt8>, _ offset: Int) -> Bool {
    var index = clock.lowerBound + offset
    let end = clock.upperBound + offset
    guard index < end else { return true }
    guard line[index] != 0x30 else { return false }
    while index < end, Self.isDigit(line[index]) { index += 1 }
    return index == end
  }

  private static func isDigit(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 }
}
