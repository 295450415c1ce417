// What one answer has told so far, for readers that join it later, and for what is remembered of its conversation. Pure.

/// The events of an answer in their order. Consecutive text of one channel lies in one buffer, escaped as it came in JSON, so
/// that a piece of text costs a comparison and a copy.
struct AnswerLog: Sendable {
  /// What an answer may tell and still be joined and kept; of a longer one the log holds only what a reader is still to get.
  /// Raised, each long answer takes more memory; lowered, retries of long answers run the agent again.
  static let maxBytes = 8 << 20
  /// The same where nobody can join, and only what the client has seen is to be known in the end. Most answers are answered so,
  /// and none has as much. Of a longer one the next request brings what was seen.
  static let maxSeenBytes = 1 << 20
  /// A run of text that is longer is followed by a new run, so that a reader can be told it in pieces. It ends where a piece of
  /// the engine's ended, which never is inside an escape.
  static let maxRunBytes = 16 << 10
  /// About what an event takes besides its texts.
  private static let eventBytes = 80

  private enum Entry: Sendable {
    /// A run of text, and where it ends among all bytes.
    case text(TextChannel, end: Int)
    case event(TurnEvent)
  }

  /// A place in the log.
  struct Cursor: Comparable, Sendable {
    fileprivate var entry = 0
    fileprivate var byte = 0

    /// Where the answer begins.
    static let start = Cursor()

    static func < (left: Cursor, right: Cursor) -> Bool { (left.entry, left.byte) < (right.entry, right.byte) }
  }

  /// What follows a place.
  enum Step {
    /// Text, to be lent by `withText`.
    case text(TextChannel, Range<Int>)
    case event(TurnEvent)
  }

  /// Where the pieces end in which the text came, among all bytes; nil unless readers are to be told the same pieces.
  private var pieces: [UInt32]?
  /// Bytes of memory up to which it holds what every reader has got; 0 if only what one is still to get.
  let limit: Int
  private var bytes = ByteBuffer()
  private var entries: [Entry] = []
  /// The channel of the run under way, which is no entry yet; nil if there is none.
  private var channel: TextChannel?
  /// At this many bytes in `bytes` the run under way ends.
  private var runEnd = 0
  private var eventSize = 0
  /// What lies no more in it, at its beginning.
  private var dropped = Cursor.start
  /// Whether nothing was dropped.
  private(set) var isWhole: Bool
  /// Whether what all readers have got has to be dropped (`drop`).
  private(set) var isOverfull = false

  /// `keepsPieces`: whoever reads it later gets the text in the pieces in which it came, as long as it is whole.
  init(limit: Int = maxBytes, keepsPieces: Bool = false) {
    self.limit = limit
    if keepsPieces { pieces = [] }
    isWhole = limit > 0
  }

  /// Bytes of memory that it holds, about.
  var byteCount: Int { bytes.count + eventSize + 4 * (pieces?.count ?? 0) }

  /// All that it was ever given, in bytes, for comparisons.
  var totalBytes: Int { dropped.byte + bytes.count }
  var totalEntries: Int { dropped.entry + entries.count }

  /// Bytes of text behind a place.
  func bytes(after place: Cursor) -> Int { totalBytes - place.byte }

  /// Where what comes next will stand.
  var end: Cursor { Cursor(entry: totalEntries, byte: totalBytes) }

  // MARK: Adding

  @inline(__always)
  mutating func append(_ text: Span<UInt8>, _ channel: TextChannel) {
    if channel != self.channel || bytes.count >= runEnd { beginRun(channel) }
    bytes.append(text)
    if pieces != nil { endPiece() }
  }

  private mutating func endPiece() {
    let end = UInt32(truncatingIfNeeded: totalBytes)
    pieces?.append(end)
  }

  mutating func append(_ event: TurnEvent) {
    if let (text, channel) = event.text { return append(text.raw.utf8.span, channel) }
    endRun()
    entries.append(.event(event))
    eventSize += Self.eventBytes + event.byteCount
    checkSize()
  }

  @inline(never)
  private mutating func beginRun(_ channel: TextChannel) {
    endRun()
    self.channel = channel
    runEnd = bytes.count + Self.maxRunBytes
    checkSize()
  }

  private mutating func endRun() {
    guard let channel else { return }
    entries.append(.text(channel, end: totalBytes))
    self.channel = nil
  }

  private mutating func checkSize() {
    if byteCount > limit || !isWhole { isOverfull = true }
  }

  /// Drops what is before a place. The log is not whole any more.
  mutating func drop(before place: Cursor) {
    isWhole = false
    isOverfull = false
    pieces = nil
    let count = place.entry - dropped.entry
    for case .event(let event) in entries.prefix(count) { eventSize -= Self.eventBytes + event.byteCount }
    entries.removeFirst(count)
    bytes.consume(place.byte - dropped.byte)
    dropped = place
    runEnd = 0
  }

  // MARK: Reading

  /// What follows `place`, which moves behind it; nil at the end.
  func step(from place: inout Cursor) -> Step? {
    while place.entry < totalEntries {
      defer { place.entry += 1 }
      switch entries[place.entry - dropped.entry] {
      case .event(let event): return .event(event)
      case .text(let channel, let end):
        // A reader may have got the whole run while it was under way.
        guard place.byte < end else { continue }
        let pieceEnd = pieceEnd(after: place.byte, atMost: end)
        let range = place.byte..<pieceEnd
        place.byte = pieceEnd
        if pieceEnd < end { place.entry -= 1 }
        return .text(channel, range)
      }
    }
    guard let channel, place.byte < totalBytes else { return nil }
    let end = pieceEnd(after: place.byte, atMost: totalBytes)
    defer { place.byte = end }
    return .text(channel, place.byte..<end)
  }

  /// Where the piece ends that has the byte at a place.
  private func pieceEnd(after byte: Int, atMost end: Int) -> Int {
    guard let pieces else { return end }
    let piece = pieces.partitioningIndex { $0 > byte }
    return piece < pieces.count ? min(Int(pieces[piece]), end) : end
  }

  /// Lends the text of a step.
  func withText<R>(_ range: Range<Int>, _ body: (Span<UInt8>) -> R) -> R {
    bytes.withBytes { body($0.extracting(range.lowerBound - dropped.byte..<range.upperBound - dropped.byte)) }
  }

  // MARK: What was seen

  /// What the reader of a stream has seen of the answer, put together by `whole`; nil if the log is not whole.
  func seen(in whole: any WholeAnswerRenderer) -> [Conversation.Item]? {
    guard isWhole else { return nil }
    var place = Cursor.start
    while let step = step(from: &place) {
      let goesOn =
        switch step {
        case .text(let channel, let range):
          whole.take(EscapedText(raw: withText(range) { String(decoding: $0) }), channel)
        // Text that was streamed is not taken back: the stream ends there.
        case .event(.answerRetracted), .event(.ended): false
        case .event(let event): whole.take(event)
        }
      if !goesOn { break }
    }
    return whole.items
  }
}
