// SHA-1 (FIPS 180-4), by libmd, where a protocol asks for it (RFC 6455 §4.2.2). It protects nothing: for that there is
// `SHA256Digest`.

internal import CLibMD

enum SHA1Digest {
  private static let byteCount = 20

  /// The twenty bytes of the digest.
  static func bytes(of text: String) -> [UInt8] {
    var context = SHA1_CTX()
    SHA1Init(&context)
    text.utf8.span.withUnsafeBufferPointer { SHA1Update(&context, $0.baseAddress, $0.count) }
    return [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
      SHA1Final(buffer.baseAddress, &context)
      count = byteCount
    }
  }
}
