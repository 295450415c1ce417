// SHA-256 (FIPS 180-4), by libmd, for contents that have to be recognised later or elsewhere.
// Within one process `Fingerprint` is cheaper.

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
