// A growable run of bytes that is filled at the end and emptied at the front.

import Glibc

/// Bytes waiting to be parsed or written.
///
/// A plain value with no isolation: its methods hand closures to the standard library, which in isolated code
/// would each be checked at run time, once per token.
struct ByteBuffer: Sendable {
  private var storage: [UInt8] = []
  private var start = 0

  init() {}

  init(_ bytes: [UInt8]) { storage = bytes }

  var count: Int { storage.count - start }
  var isEmpty: Bool { count == 0 }

  /// Lends the bytes in place.
  func withBytes<R>(_ body: (Span<UInt8>) -> R) -> R {
    body(storage.span.extracting(start..<storage.count))
  }

  mutating func append(_ bytes: Span<UInt8>) {
    bytes.withUnsafeBufferPointer { storage.append(contentsOf: $0) }
  }

  mutating func append(_ bytes: [UInt8]) { storage.append(contentsOf: bytes) }
  mutating func append(_ string: String) { storage.append(contentsOf: string.utf8) }
  mutating func append(_ byte: UInt8) { storage.append(byte) }

  /// Appends the hexadecimal digits of `value`, as chunk sizes are written (RFC 9112 §7.1).
  mutating func append(hex value: Int) {
    append(String(value, radix: 16))
  }

  /// Drops `count` bytes from the front.
  mutating func consume(_ count: Int) {
    start += count
    if start >= storage.count {
      removeAll()
    } else if start > 65_536 && start > storage.count / 2 {
      storage.removeFirst(start)
      start = 0
    }
  }

  /// Empties the buffer; keeps a little capacity so that small writes do not allocate each time.
  mutating func removeAll(keepingUpTo capacity: Int = 4096) {
    start = 0
    if storage.capacity > capacity { storage = [] } else { storage.removeAll(keepingCapacity: true) }
  }

  /// The bytes as an array, leaving the buffer empty.
  mutating func take() -> [UInt8] {
    defer {
      storage = []
      start = 0
    }
    return start == 0 ? storage : Array(storage[start...])
  }

  func array() -> [UInt8] { Array(storage[start...]) }
}

extension Span<UInt8> {
  /// A copy of the bytes.
  var array: [UInt8] {
    withUnsafeBufferPointer { Array($0) }
  }

  /// The index of `byte` at or after `from`, found with the C library's vectorised search.
  func firstIndex(of byte: UInt8, from: Int = 0) -> Int? {
    guard from < count else { return nil }
    return withUnsafeBytes { raw in
      guard let base = raw.baseAddress, let hit = memchr(base + from, Int32(byte), count - from) else {
        return nil
      }
      return UnsafeRawPointer(hit) - base
    }
  }
}

extension [UInt8] {
  mutating func append(_ bytes: Span<UInt8>) {
    bytes.withUnsafeBufferPointer { append(contentsOf: $0) }
  }
}
