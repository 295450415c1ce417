// Frames as the other side of a WebSocket makes and reads them, written without the code under test.

@testable import Bridge

/// Makes the frames of a client.
enum ClientFrame {
  static let mask: [UInt8] = [0x37, 0xFA, 0x21, 0x3D]

  /// How a length is written.
  enum LengthForm { case shortest, two, eight }

  /// A frame of `opcode`; the other arguments are for frames that are wrong.
  static func make(
    _ opcode: UInt8, _ content: [UInt8], isFinal: Bool = true, reserved: UInt8 = 0,
    mask: [UInt8]? = ClientFrame.mask,
    length form: LengthForm = .shortest, claiming claimed: Int? = nil
  ) -> [UInt8] {
    let count = claimed ?? content.count
    var bytes: [UInt8] = [(isFinal ? 0x80 : 0) | reserved | opcode]
    let maskBit: UInt8 = mask == nil ? 0 : 0x80
    switch form {
    case .shortest where count < 126: bytes.append(maskBit | UInt8(count))
    case .shortest where count < 0x1_0000, .two:
      bytes += [maskBit | 126, UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)]
    case .shortest, .eight:
      bytes.append(maskBit | 127)
      bytes += stride(from: 56, through: 0, by: -8).map { UInt8(truncatingIfNeeded: count >> $0) }
    }
    guard let mask else { return bytes + content }
    return bytes + mask + content.enumerated().map { $1 ^ mask[$0 % 4] }
  }

  static func text(_ text: String, isFinal: Bool = true) -> [UInt8] { make(1, Array(text.utf8), isFinal: isFinal) }

  static func continuation(_ text: String, isFinal: Bool = true) -> [UInt8] {
    make(0, Array(text.utf8), isFinal: isFinal)
  }

  static func ping(_ text: String = "") -> [UInt8] { make(9, Array(text.utf8)) }
  static func pong(_ text: String = "") -> [UInt8] { make(10, Array(text.utf8)) }

  static func close(_ code: UInt16? = nil, _ reason: String = "") -> [UInt8] {
    make(8, (code.map { [UInt8($0 >> 8), UInt8($0 & 0xFF)] } ?? []) + Array(reason.utf8))
  }
}

/// A frame that a server has sent.
struct ServerFrame: Equatable, Sendable {
  let opcode: UInt8
  let isFinal: Bool
  let content: [UInt8]

  var text: String { String(decoding: content, as: UTF8.self) }

  /// The code of a close frame, nil if it has none.
  var code: UInt16? { content.count < 2 ? nil : UInt16(content[0]) << 8 | UInt16(content[1]) }

  /// The whole frames at the beginning of `bytes`; nil if one of them is wrong: masked, reserved bits set, or its length not
  /// in as few bytes as it needs.
  static func parse(_ bytes: ArraySlice<UInt8>) -> [ServerFrame]? {
    var frames: [ServerFrame] = []
    var rest = bytes
    while rest.count >= 2 {
      let (first, second) = (rest[rest.startIndex], rest[rest.startIndex + 1])
      guard first & 0x70 == 0, second & 0x80 == 0 else { return nil }
      let extra = second == 127 ? 8 : second == 126 ? 2 : 0
      guard rest.count >= 2 + extra else { break }
      let written = rest.dropFirst(2).prefix(extra).reduce(0) { $0 << 8 | Int($1) }
      let length = extra == 0 ? Int(second) : written
      guard extra == 0 || length >= (extra == 2 ? 126 : 0x1_0000) else { return nil }
      guard rest.count >= 2 + extra + length else { break }
      let content = Array(rest.dropFirst(2 + extra).prefix(length))
      frames.append(ServerFrame(opcode: first & 0x0F, isFinal: first & 0x80 != 0, content: content))
      rest = rest.dropFirst(2 + extra + length)
    }
    return frames
  }
}
