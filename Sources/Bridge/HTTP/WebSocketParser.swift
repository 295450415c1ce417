// Bytes to messages of a WebSocket client. No I/O and no clock. What RFC 6455 forbids is refused, and so is what this
// side has not agreed to: extensions, and messages that are not text.

/// One step in reading a WebSocket.
enum WebSocketPart: Equatable, Sendable {
  /// All input is used up.
  case needMore
  /// A whole text message, valid UTF-8.
  case message([UInt8])
  /// With what the answer has to contain.
  case ping([UInt8])
  case pong
  /// The last frame of the peer, with the code it gave, or `.none`. What comes behind it is skipped.
  case close(WebSocketCloseCode)
  /// The stream cannot be read any further.
  case failure(WebSocketFailure)
}

/// An incremental parser for the frames that a client sends (RFC 6455 §5).
///
/// The result does not depend on how the bytes were cut on their way. Memory is only used for bytes that have come, whatever
/// lengths are claimed.
struct WebSocketParser: Sendable {
  private enum State {
    case opcode
    case length
    case extendedLength(missing: Int)
    case mask(missing: Int)
    case content
    case closed
    case failed(WebSocketFailure)
  }

  /// The frame being read.
  private struct Frame {
    var opcode = WebSocketOpcode.text
    var isFinal = true
    /// What its length says, then how much of the content is still to come.
    var remaining: UInt64 = 0
    /// The smallest length that is written in so many bytes.
    var minLength: UInt64 = 0
    /// The masking key, its first byte lowest.
    var mask: UInt32 = 0
    /// Which byte of the key is next.
    var maskIndex = 0
  }

  private let maxMessageBytes: Int
  private var state = State.opcode
  private var frame = Frame()
  /// Whether the first frame of a message has begun and its last has not ended.
  private(set) var isInsideMessage = false
  private var message: [UInt8] = []
  private var control: [UInt8] = []
  private var keepsMessages = true

  /// A message of more than `maxMessageBytes` is refused as soon as a frame claims so many.
  init(maxMessageBytes: Int) { self.maxMessageBytes = maxMessageBytes }

  /// How much of an unfinished message is held.
  var messageBytes: Int { message.count }

  /// Drops the content of messages from now on: only control frames are of interest.
  mutating func dropMessages() {
    keepsMessages = false
    message = []
  }

  /// Reads the next part from `input`, starting at `offset`, and moves `offset` past what it used.
  mutating func next(_ input: Span<UInt8>, _ offset: inout Int) -> WebSocketPart {
    do throws(WebSocketFailure) {
      while true {
        switch state {
        case .failed(let failure): return .failure(failure)
        case .closed:
          offset = input.count
          return .needMore
        case .content:
          readContent(input, &offset)
          guard frame.remaining == 0 else { return .needMore }
          if let part = try finishFrame() { return part }
        case .opcode, .length, .extendedLength, .mask:
          guard offset < input.count else { return .needMore }
          let byte = input[offset]
          offset += 1
          try readHead(byte)
        }
      }
    } catch {
      state = .failed(error)
      message = []
      control = []
      return .failure(error)
    }
  }

  // MARK: The head of a frame

  private mutating func readHead(_ byte: UInt8) throws(WebSocketFailure) {
    switch state {
    case .opcode: try readOpcode(byte)
    case .length: try readLength(byte)
    case .extendedLength(let missing):
      // A length of eight bytes begins with a zero bit.
      if missing == 8, byte & 0x80 != 0 { throw .protocolError("the length of a frame has its highest bit set") }
      frame.remaining = frame.remaining << 8 | UInt64(byte)
      if missing > 1 { state = .extendedLength(missing: missing - 1) } else { try finishLength() }
    case .mask(let missing):
      frame.mask |= UInt32(byte) << (8 * UInt32(4 - missing))
      state = missing > 1 ? .mask(missing: missing - 1) : .content
    case .content, .closed, .failed: break
    }
  }

  private mutating func readOpcode(_ byte: UInt8) throws(WebSocketFailure) {
    guard byte & 0x70 == 0 else { throw .protocolError("a frame uses an extension that was not agreed") }
    guard let opcode = WebSocketOpcode(rawValue: byte & 0x0F) else {
      throw .protocolError("a frame is of a reserved kind")
    }
    let isFinal = byte & 0x80 != 0
    switch opcode {
    case .continuation where !isInsideMessage: throw .protocolError("a message begins with a continuation")
    case .text where isInsideMessage, .binary where isInsideMessage:
      throw .protocolError("a message begins inside of another")
    case .binary: throw WebSocketFailure(code: .unsupportedData, reason: "messages must be text")
    case .close where !isFinal, .ping where !isFinal, .pong where !isFinal:
      throw .protocolError("a control frame is fragmented")
    case .continuation, .text: isInsideMessage = true
    case .close, .ping, .pong: break
    }
    frame = Frame(opcode: opcode, isFinal: isFinal)
    state = .length
  }

  private mutating func readLength(_ byte: UInt8) throws(WebSocketFailure) {
    guard byte & 0x80 != 0 else { throw .protocolError("a frame of a client is not masked") }
    let length = byte & 0x7F
    guard !frame.opcode.isControl || length <= WebSocketControl.maxBytes else {
      throw .protocolError("a control frame is too long")
    }
    switch length {
    case 126:
      frame.minLength = 126
      state = .extendedLength(missing: 2)
    case 127:
      frame.minLength = 0x1_0000
      state = .extendedLength(missing: 8)
    default:
      frame.remaining = UInt64(length)
      try finishLength()
    }
  }

  private mutating func finishLength() throws(WebSocketFailure) {
    guard frame.remaining >= frame.minLength else {
      throw .protocolError("the length of a frame is written in more bytes than it needs")
    }
    guard frame.opcode.isControl || frame.remaining <= UInt64(max(maxMessageBytes - messageBytes, 0)) else {
      throw WebSocketFailure(code: .messageTooBig, reason: "the message is larger than \(maxMessageBytes) bytes")
    }
    state = .mask(missing: 4)
  }

  // MARK: Content

  private mutating func readContent(_ input: Span<UInt8>, _ offset: inout Int) {
    let count = Int(min(frame.remaining, UInt64(input.count - offset)))
    let masked = input.extracting(offset..<offset + count)
    offset += count
    frame.remaining -= UInt64(count)
    if frame.opcode.isControl {
      control.append(masked, unmaskedWith: frame.mask, from: frame.maskIndex)
    } else if keepsMessages {
      message.append(masked, unmaskedWith: frame.mask, from: frame.maskIndex)
    }
    frame.maskIndex = (frame.maskIndex + count) % 4
  }

  /// What the frame that has just ended completes; nil if that is nothing.
  private mutating func finishFrame() throws(WebSocketFailure) -> WebSocketPart? {
    state = .opcode
    if frame.opcode.isControl {
      var content: [UInt8] = []
      swap(&content, &control)
      switch frame.opcode {
      case .ping: return .ping(content)
      case .close:
        let code = try Self.closeCode(content.span)
        state = .closed
        return .close(code)
      default: return .pong
      }
    }
    guard frame.isFinal else { return nil }
    isInsideMessage = false
    var whole: [UInt8] = []
    swap(&whole, &message)
    guard whole.span.isUTF8 else { throw WebSocketFailure(code: .invalidText, reason: "a message is not UTF-8") }
    return .message(whole)
  }

  /// RFC 6455 §5.5.1: nothing, or a code with a text.
  private static func closeCode(_ content: Span<UInt8>) throws(WebSocketFailure) -> WebSocketCloseCode {
    if content.isEmpty { return .none }
    guard content.count > 1 else { throw .protocolError("a close frame has half a code") }
    let code = WebSocketCloseCode(UInt16(content[0]) << 8 | UInt16(content[1]))
    guard code.maySend else { throw .protocolError("a close frame has a code that may not be sent") }
    guard content.extracting(2...).isUTF8 else {
      throw WebSocketFailure(code: .invalidText, reason: "the text of a close frame is not UTF-8")
    }
    return code
  }
}

extension [UInt8] {
  /// Appends the content of a frame as it was before it was masked (RFC 6455 §5.3), eight bytes at a time. `index` is the
  /// byte of the key that its first byte was masked with.
  fileprivate mutating func append(_ masked: Span<UInt8>, unmaskedWith mask: UInt32, from index: Int) {
    let shift = UInt32(8 * index)
    let turned = UInt64(shift == 0 ? mask : mask >> shift | mask << (32 - shift))
    let key = turned | turned << 32
    let start = count
    append(masked)
    withUnsafeMutableBytes { all in
      var place = start
      while place + 8 <= all.count {
        let word = UInt64(littleEndian: all.loadUnaligned(fromByteOffset: place, as: UInt64.self))
        all.storeBytes(of: (word ^ key).littleEndian, toByteOffset: place, as: UInt64.self)
        place += 8
      }
      for (index, rest) in (place..<all.count).enumerated() {
        all[rest] ^= UInt8(truncatingIfNeeded: key >> UInt64(8 * index))
      }
    }
  }
}
