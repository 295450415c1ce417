// SHA-256 (FIPS 180-4), by libmd, for contents that have to be recognised later or elsewhere, and HMAC (RFC 2104) over it for
// what two who share a secret tell each other. Within one process `Fingerprint` is cheaper.

internal import CLibMD

/// The SHA-256 of some bytes.
struct SHA256Digest: Hashable, Sendable {
  static let byteCount = 32

  /// `byteCount` bytes.
  let bytes: [UInt8]

  init(of content: Span<UInt8>) {
    var context = SHA2_CTX()
    SHA256Init(&context)
    content.withUnsafeBufferPointer { SHA256Update(&context, $0.baseAddress, $0.count) }
    bytes = [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
      SHA256Final(buffer.baseAddress, &context)
      count = Self.byteCount
    }
  }

  /// The code that only those can make who have the key: HMAC-SHA-256.
  init(authenticating message: Span<UInt8>, with key: Span<UInt8>) {
    let blockBytes = 64
    var padded = key.count > blockBytes ? SHA256Digest(of: key).bytes : key.array
    padded += [UInt8](repeating: 0, count: blockBytes - padded.count)
    let inner = SHA256Digest(of: (padded.map { $0 ^ 0x36 } + message.array).span)
    self.init(of: (padded.map { $0 ^ 0x5C } + inner.bytes).span)
  }

  /// Digests that were stored one after the other.
  static func list(_ bytes: [UInt8]) -> [SHA256Digest] {
    stride(from: 0, through: bytes.count - byteCount, by: byteCount).map {
      SHA256Digest(stored: Array(bytes[$0..<$0 + byteCount]))
    }
  }

  private init(stored bytes: [UInt8]) { self.bytes = bytes }

  /// One that was stored; nil if the bytes are none.
  init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = bytes
  }

  init(of text: String) { self.init(of: Array(text.utf8).span) }

  /// 64 digits in lower case.
  var hex: String {
    let digits = Array("0123456789abcdef".utf8)
    return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}
