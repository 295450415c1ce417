// Bytes of a terminal's keyboard as keys. Pure: the same bytes give the same keys, however they are cut into reads.
// Escape sequences are those of xterm and its kin (ECMA-48 control sequences, "bracketed paste" of xterm's ctlseqs).

/// What a person does with one key, or pastes.
enum KeyPress: Equatable, Sendable {
  /// Characters that were typed, in one read perhaps several.
  case text(String)
  /// Everything between the marks that a terminal puts around a paste; its lines end with line feeds.
  case paste(String)
  /// A paste above `KeyDecoder.Limit.pasteBytes`, of which nothing was kept.
  case oversizedPaste
  case enter
  /// Alt-Enter, and Shift-Enter where the terminal tells it from Enter.
  case newLine
  case left, right, up, down, home, end, wordLeft, wordRight
  case backspace, delete
  case eraseWordLeft, eraseWordRight, eraseToStart, eraseToEnd, yank
  case interrupt, endOfInput, suspend, clearScreen
  /// Ctrl-G: the text goes to an editor.
  case openEditor
}

struct KeyDecoder: Sendable {
  enum Limit {
    /// Bytes of an escape sequence. The longest that a key sends has about ten; what goes on is dropped up to its end.
    static let sequenceBytes = 64
    /// Bytes of a paste: what Codex takes as one message, if every character needs four. A larger limit would only hold
    /// more of what is refused anyway.
    static let pasteBytes = 4 * ChatMessage.maxCharacters
  }

  private enum State: Sendable {
    case ground
    /// In a character of several bytes: those so far, and how many are to come.
    case character([UInt8], missing: Int)
    case escape
    /// After ESC [: parameters up to the final byte.
    case sequence([UInt8])
    /// After ESC O, as function keys of some terminals begin: one byte is to come.
    case shortSequence
    /// In a string with which a terminal answers a program (OSC, DCS, APC, PM, SOS), up to its end.
    case string(isAfterEscape: Bool)
    case paste(isTooLarge: Bool)
  }

  private static let escape: UInt8 = 0x1B
  private static let pasteEnd = Array("\u{1B}[201~".utf8)
  private static let pasteStart: Int = 200

  private var state = State.ground
  /// Characters that were typed since the last other key.
  private var typed = ""
  private var pasted: [UInt8] = []
  private var keys: [KeyPress] = []

  /// A sequence has begun and not ended: its rest is still to come, or what looks like its beginning was the key Escape, or
  /// a letter with Alt.
  var isUndecided: Bool {
    switch state {
    case .escape, .sequence, .shortSequence, .string: true
    case .ground, .character, .paste: false
    }
  }

  /// The keys that end in `bytes`.
  mutating func feed(_ bytes: Span<UInt8>) -> [KeyPress] {
    for index in bytes.indices { take(bytes[index]) }
    return finishKeys()
  }

  /// Nothing has followed for a while: it was such a key, which does nothing.
  mutating func timeOut() {
    if isUndecided { state = .ground }
  }

  private mutating func finishKeys() -> [KeyPress] {
    endText()
    defer { keys = [] }
    return keys
  }

  private mutating func emit(_ key: KeyPress) {
    endText()
    keys.append(key)
  }

  private mutating func endText() {
    guard !typed.isEmpty else { return }
    keys.append(.text(typed))
    typed = ""
  }

  private mutating func take(_ byte: UInt8) {
    switch state {
    case .ground: takeFirst(byte)
    case .character(let bytes, let missing): takeNext(byte, after: bytes, missing: missing)
    case .escape: takeAfterEscape(byte)
    case .sequence(let parameters): takeSequence(byte, after: parameters)
    case .shortSequence: takeShortSequence(byte)
    case .string(let isAfterEscape): takeString(byte, isAfterEscape: isAfterEscape)
    case .paste(let isTooLarge): takePasted(byte, isTooLarge: isTooLarge)
    }
  }

  // MARK: Characters

  private mutating func takeFirst(_ byte: UInt8) {
    switch byte {
    case Self.escape: state = .escape
    case 0x20..<0x7F: typed.unicodeScalars.append(UnicodeScalar(byte))
    case ..<0x20, 0x7F: takeControl(byte)
    case 0xC2..<0xE0: state = .character([byte], missing: 1)
    case 0xE0..<0xF0: state = .character([byte], missing: 2)
    case 0xF0..<0xF5: state = .character([byte], missing: 3)
    default: typed.append("\u{FFFD}")
    }
  }

  private mutating func takeNext(_ byte: UInt8, after bytes: [UInt8], missing: Int) {
    state = .ground
    guard byte & 0xC0 == 0x80 else {
      typed.append("\u{FFFD}")
      return takeFirst(byte)
    }
    guard missing == 1 else {
      state = .character(bytes + [byte], missing: missing - 1)
      return
    }
    let text = String(decoding: bytes + [byte], as: UTF8.self)
    // A control character of two bytes (C1) is no text that somebody types.
    if text.unicodeScalars.first?.properties.generalCategory != .control { typed.append(text) }
  }

  private mutating func takeControl(_ byte: UInt8) {
    guard let key = Self.control(byte) else { return }
    emit(key)
  }

  /// The key of a control character, as line editors have had them since Emacs. The others do nothing.
  private static func control(_ byte: UInt8) -> KeyPress? {
    switch byte {
    case 0x01: .home
    case 0x02: .left
    case 0x03: .interrupt
    case 0x04: .endOfInput
    case 0x05: .end
    case 0x06: .right
    case 0x07: .openEditor
    case 0x08, 0x7F: .backspace
    case 0x09: .text("\t")
    case 0x0A, 0x0D: .enter
    case 0x0B: .eraseToEnd
    case 0x0C: .clearScreen
    case 0x0E: .down
    case 0x10: .up
    case 0x15: .eraseToStart
    case 0x17: .eraseWordLeft
    case 0x19: .yank
    case 0x1A: .suspend
    default: nil
    }
  }

  // MARK: Escape sequences

  private mutating func takeAfterEscape(_ byte: UInt8) {
    state = .ground
    switch byte {
    case Self.escape: state = .escape
    case UInt8(ascii: "["): state = .sequence([])
    case UInt8(ascii: "O"): state = .shortSequence
    case UInt8(ascii: "]"), UInt8(ascii: "P"), UInt8(ascii: "X"), UInt8(ascii: "^"), UInt8(ascii: "_"):
      state = .string(isAfterEscape: false)
    case 0x0A, 0x0D: emit(.newLine)
    case 0x08, 0x7F: emit(.eraseWordLeft)
    case UInt8(ascii: "b"), UInt8(ascii: "B"): emit(.wordLeft)
    case UInt8(ascii: "f"), UInt8(ascii: "F"): emit(.wordRight)
    case UInt8(ascii: "d"), UInt8(ascii: "D"): emit(.eraseWordRight)
    // No other letter means anything with Alt, but what interrupts or leaves is never swallowed.
    case ..<0x20, 0x80...: takeFirst(byte)
    default: break
    }
  }

  private mutating func takeSequence(_ byte: UInt8, after parameters: [UInt8]) {
    switch byte {
    // The Linux console sends a second bracket for its function keys.
    case UInt8(ascii: "[") where parameters.isEmpty, 0x20..<0x40:
      state = .sequence(parameters.count < Limit.sequenceBytes ? parameters + [byte] : parameters)
    case 0x40..<0x7F:
      state = .ground
      endSequence(parameters, byte)
    default:
      // Not part of any sequence: this one was cut off.
      state = .ground
      takeFirst(byte)
    }
  }

  private mutating func endSequence(_ parameters: [UInt8], _ last: UInt8) {
    if parameters.first == UInt8(ascii: "[") { return }
    let numbers = parameters.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
      .map { Int(String(decoding: $0, as: UTF8.self)) ?? 0 }
    if last == UInt8(ascii: "~"), numbers.first == Self.pasteStart {
      state = .paste(isTooLarge: false)
    } else if let key = Self.key(numbers, last) {
      emit(key)
    }
  }

  private mutating func takeShortSequence(_ byte: UInt8) {
    state = .ground
    if byte == UInt8(ascii: "M") { return emit(.enter) }
    guard byte >= 0x20 else { return takeFirst(byte) }
    if let key = Self.key([], byte) { emit(key) }
  }

  /// The key of a sequence; nil for those that mean nothing here.
  private static func key(_ numbers: [Int], _ last: UInt8) -> KeyPress? {
    let isModified = numbers.count > 1 && numbers[1] > 1
    switch last {
    case UInt8(ascii: "A"): return .up
    case UInt8(ascii: "B"): return .down
    case UInt8(ascii: "C"): return isModified ? .wordRight : .right
    case UInt8(ascii: "D"): return isModified ? .wordLeft : .left
    case UInt8(ascii: "F"): return .end
    case UInt8(ascii: "H"): return .home
    case UInt8(ascii: "u"): return numbers.first == 13 ? (isModified ? .newLine : .enter) : nil
    case UInt8(ascii: "~"): return numberedKey(numbers, isModified: isModified)
    default: return nil
    }
  }

  private static func numberedKey(_ numbers: [Int], isModified: Bool) -> KeyPress? {
    switch numbers.first {
    case 1, 7: .home
    case 3: isModified ? .eraseWordRight : .delete
    case 4, 8: .end
    // A key with its modifiers, as xterm's modifyOtherKeys tells it.
    case 27: numbers.last == 13 && numbers.count == 3 ? .newLine : nil
    default: nil
    }
  }

  /// Strings end with BEL, or with ESC \ (ST). Ctrl-C ends one that was never closed.
  private mutating func takeString(_ byte: UInt8, isAfterEscape: Bool) {
    switch byte {
    case 0x07: state = .ground
    case 0x03:
      state = .ground
      emit(.interrupt)
    case UInt8(ascii: "\\") where isAfterEscape: state = .ground
    default: state = .string(isAfterEscape: byte == Self.escape)
    }
  }

  // MARK: Pastes

  private mutating func takePasted(_ byte: UInt8, isTooLarge: Bool) {
    pasted.append(byte)
    if byte == Self.pasteEnd.last, pasted.suffix(Self.pasteEnd.count).elementsEqual(Self.pasteEnd) {
      endPaste(isTooLarge: isTooLarge)
    } else if pasted.count >= Limit.pasteBytes + Self.pasteEnd.count {
      // Only its end is looked for from here on.
      pasted.removeFirst(pasted.count - Self.pasteEnd.count)
      state = .paste(isTooLarge: true)
    }
  }

  private mutating func endPaste(isTooLarge: Bool) {
    pasted.removeLast(Self.pasteEnd.count)
    let text = Self.lines(pasted)
    pasted = []
    state = .ground
    emit(isTooLarge ? .oversizedPaste : .paste(text))
  }

  /// Terminals send a carriage return for each line end of a paste, some both.
  private static func lines(_ bytes: [UInt8]) -> String {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count)
    var previous: UInt8 = 0
    for byte in bytes {
      if byte == 0x0D {
        result.append(0x0A)
      } else if byte != 0x0A || previous != 0x0D {
        result.append(byte)
      }
      previous = byte
    }
    return String(decoding: result, as: UTF8.self)
  }
}
