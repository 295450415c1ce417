// A growable run of bytes that is filled at the end and emptied at the front.

import Glibc

/// Bytes waiting to be parsed or written.
///
/// A plain value with no isolation: its methods hand closures to the standard library, which in isolated code
/// would each be checked at run time, once per token.
struct ByteBuffer: Sendable {
  private static let minCapacity = 256
  /// Room behind what is added, so that a large piece is not moved for the few bytes that end its line. Raised, every large
  /// buffer holds more that it does not use; lowered, an image in a line is copied once more.
  private static let tailBytes = 4096
  private static let largeBytes = 64 * 1024
  /// Bytes before the content of a WebSocket frame of 126 bytes to 64 KiB.
  private static let usualFrameHead = 4

  /// The whole array counts as initialised, so that adding bytes is a plain copy: an array that grows with each addition
  /// spends twice as long on checking for room as the copy takes.
  private var storage: [UInt8] = []
  private var start = 0
  private var end = 0

  init() {}

  init(_ bytes: [UInt8]) {
    storage = bytes
    end = bytes.count
  }

  var count: Int { end - start }
  var isEmpty: Bool { start == end }
  /// Bytes of memory it holds, used or not.
  var capacity: Int { storage.count }
  var hasStorage: Bool { capacity > 0 }

  /// Lends the bytes in place.
  func withBytes<R>(_ body: (Span<UInt8>) -> R) -> R {
    body(storage.span.extracting(start..<end))
  }

  @inline(__always)
  mutating func append(_ bytes: Span<UInt8>) {
    makeRoom(for: bytes.count)
    put(bytes)
  }

  mutating func append(_ bytes: [UInt8]) { append(bytes.span) }
  mutating func append(_ string: String) { append(string.utf8.span) }

  mutating func append(_ byte: UInt8) {
    makeRoom(for: 1)
    storage[end] = byte
    end += 1
  }

  /// Appends a text of the program's own, which needs no string to be made of it.
  mutating func append(fixed text: StaticString) {
    append(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount).span)
  }

  /// Appends four runs of bytes as one: what adding costs beside the copy is paid once.
  @inline(__always)
  mutating func append(
    _ first: Span<UInt8>, _ second: StaticString, _ third: Span<UInt8>, _ fourth: StaticString
  ) {
    let begin = UnsafeBufferPointer(start: second.utf8Start, count: second.utf8CodeUnitCount)
    let rest = UnsafeBufferPointer(start: fourth.utf8Start, count: fourth.utf8CodeUnitCount)
    makeRoom(for: first.count + begin.count + third.count + rest.count)
    var target = end
    storage.withUnsafeMutableBytes { all in
      target = Self.copy(first, to: target, of: all)
      target = Self.copy(begin.span, to: target, of: all)
      target = Self.copy(third, to: target, of: all)
      target = Self.copy(rest.span, to: target, of: all)
    }
    end = target
  }

  /// Appends what `fill` appends as one chunk (RFC 9112 §7.1), or nothing if that is nothing: an empty chunk would end
  /// the body. Its size stands before it and is known behind it, so it may begin with zeros.
  @inline(__always)
  mutating func appendChunk(_ fill: (inout ByteBuffer) -> Void) {
    let before = count
    makeRoom(for: 6)
    let target = end
    storage.withUnsafeMutableBytes { all in
      all.storeBytes(of: UInt32(bigEndian: 0x3030_3030), toByteOffset: target, as: UInt32.self)
      all.storeBytes(of: UInt16(bigEndian: 0x0D0A), toByteOffset: target + 4, as: UInt16.self)
    }
    end = target + 6
    fill(&self)
    let size = count - before - 6
    guard size > 0 else {
      end = start + before
      return
    }
    makeRoom(for: 6)
    if size > 0xFFFF { insertFourZeros(at: start + before) }
    putSize(size, at: start + before, digits: size > 0xFFFF ? 8 : 4)
  }

  /// Appends what `fill` appends as one text frame of a WebSocket server (RFC 6455 §5.2): whole and unmasked. Nothing if that
  /// is nothing. Its length stands before it, in as few bytes as it needs, and is known behind it: room is left for the
  /// length that most frames have.
  @inline(__always)
  mutating func appendTextFrame(_ fill: (inout ByteBuffer) -> Void) {
    let before = count
    makeRoom(for: Self.usualFrameHead)
    end += Self.usualFrameHead
    fill(&self)
    let size = count - before - Self.usualFrameHead
    guard size > 0 else {
      end = start + before
      return
    }
    let head = size < 126 ? 2 : size > 0xFFFF ? 10 : Self.usualFrameHead
    if head != Self.usualFrameHead { resizeFrameHead(to: head, before: size) }
    putFrameHead(of: size, at: end - size - head)
  }

  /// Drops `count` bytes from the front.
  mutating func consume(_ count: Int) {
    start += count
    if start >= end { removeAll() }
  }

  /// Empties the buffer; keeps a little capacity so that writes of a usual size do not allocate each time.
  mutating func removeAll(keepingUpTo capacity: Int = 16_384) {
    start = 0
    end = 0
    if storage.count > capacity { storage = [] }
  }

  /// The bytes as an array, leaving the buffer empty.
  mutating func take() -> [UInt8] {
    defer { self = ByteBuffer() }
    guard start == 0 else { return array() }
    let unused = storage.count - end
    storage.removeLast(unused)
    return storage
  }

  func array() -> [UInt8] { Array(storage[start..<end]) }

  // MARK: Room

  @inline(__always)
  private mutating func makeRoom(for count: Int) {
    if storage.count - end < count { grow(for: count) }
  }

  /// Moves the bytes to the front if that gives room enough and is less than was consumed, else to a larger memory. Only
  /// when bytes are added: what only drains is never moved.
  @inline(never)
  private mutating func grow(for added: Int) {
    let held = count
    if start >= held, storage.count - held >= added {
      let from = start
      storage.withUnsafeMutableBytes { all in
        all.copyMemory(from: UnsafeRawBufferPointer(rebasing: all[from..<from + held]))
      }
    } else {
      // Said to be initialised to its end without being filled: nothing is read behind `end`, and to fill a large one takes
      // milliseconds.
      let tail = added > Self.largeBytes ? Self.tailBytes : 0
      storage = [UInt8](unsafeUninitializedCapacity: max(held + added + tail, 2 * held, Self.minCapacity)) {
        room, initialised in
        withBytes { bytes in bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(room).copyMemory(from: $0) } }
        initialised = room.count
      }
    }
    start = 0
    end = held
  }

  /// There is room.
  @inline(__always)
  private mutating func put(_ bytes: Span<UInt8>) {
    let target = end
    storage.withUnsafeMutableBytes { all in end = Self.copy(bytes, to: target, of: all) }
  }

  /// Returns where the copy ends.
  @inline(__always)
  private static func copy(_ bytes: Span<UInt8>, to target: Int, of all: UnsafeMutableRawBufferPointer) -> Int {
    let range = target..<target + bytes.count
    bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: all[range]).copyMemory(from: $0) }
    return range.upperBound
  }

  /// The size of the chunk that begins at `head`, and the end of the line behind it. There is room.
  @inline(__always)
  private mutating func putSize(_ size: Int, at head: Int, digits: Int) {
    let tail = end
    storage.withUnsafeMutableBytes { all in
      for index in 0..<digits {
        let digit = UInt8(truncatingIfNeeded: size >> (4 * (digits - 1 - index)) & 0xF)
        all[head + index] = digit < 10 ? 0x30 + digit : 0x57 + digit
      }
      all[tail] = 0x0D
      all[tail + 1] = 0x0A
    }
    end += 2
  }

  /// Moves the last `size` bytes so that `head` bytes are before them, instead of those that were left.
  @inline(never)
  private mutating func resizeFrameHead(to head: Int, before size: Int) {
    let shift = head - Self.usualFrameHead
    makeRoom(for: max(shift, 0))
    let moved = end - size..<end
    storage.withUnsafeMutableBytes { all in
      UnsafeMutableRawBufferPointer(rebasing: all[moved.lowerBound + shift..<moved.upperBound + shift])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: all[moved]))
    }
    end += shift
  }

  /// The head of a final text frame whose content has `size` bytes.
  @inline(__always)
  private mutating func putFrameHead(of size: Int, at head: Int) {
    storage.withUnsafeMutableBytes { all in
      all[head] = 0x81
      if size < 126 {
        all[head + 1] = UInt8(truncatingIfNeeded: size)
      } else if size <= 0xFFFF {
        all[head + 1] = 126
        all.storeBytes(of: UInt16(truncatingIfNeeded: size).bigEndian, toByteOffset: head + 2, as: UInt16.self)
      } else {
        all[head + 1] = 127
        all.storeBytes(of: UInt64(size).bigEndian, toByteOffset: head + 2, as: UInt64.self)
      }
    }
  }

  /// There is room.
  @inline(never)
  private mutating func insertFourZeros(at index: Int) {
    let moved = index..<end
    storage.withUnsafeMutableBytes { all in
      UnsafeMutableRawBufferPointer(rebasing: all[moved.lowerBound + 4..<moved.upperBound + 4])
        .copyMemory(from: UnsafeRawBufferPointer(rebasing: all[moved]))
      for place in index..<index + 4 { all[place] = 0x30 }
    }
    end += 4
  }
}

extension Span<UInt8> {
  /// A copy of the bytes.
  var array: [UInt8] {
    withUnsafeBufferPointer { Array($0) }
  }

  /// Whether these are the same bytes.
  func isEqual(to other: Span<UInt8>) -> Bool {
    guard count == other.count else { return false }
    return withUnsafeBytes { bytes in
      other.withUnsafeBytes { others in
        guard let base = bytes.baseAddress, let otherBase = others.baseAddress else { return true }
        return memcmp(base, otherBase, bytes.count) == 0
      }
    }
  }

  /// Whether these are the bytes of `text`.
  func isEqual(to text: StaticString) -> Bool {
    isEqual(to: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount).span)
  }

  /// The first byte, nil when there is none.
  var first: UInt8? { isEmpty ? nil : self[0] }

  func allSatisfy(_ predicate: (UInt8) -> Bool) -> Bool {
    withUnsafeBufferPointer { $0.allSatisfy(predicate) }
  }

  /// Whether there is such a byte. All are looked at, which lets the compiler look at many at a time.
  @inline(__always)
  func contains(_ predicate: (UInt8) -> Bool) -> Bool {
    withUnsafeBufferPointer { bytes in
      var found: UInt8 = 0
      for byte in bytes { found |= predicate(byte) ? 1 : 0 }
      return found != 0
    }
  }

  /// Where the bytes from `start` on cease to be such bytes; the number of all if they never do.
  @inline(__always)
  func end(of predicate: (UInt8) -> Bool, from start: Int) -> Int {
    var index = start
    while index < count, predicate(self[index]) { index += 1 }
    return index
  }

  /// Whether all of them are ASCII digits.
  var areDigits: Bool {
    withUnsafeBytes { bytes in
      let ones: UInt64 = 0x0101_0101_0101_0101
      let hasThrees = { (word: UInt64) in word & (ones &* 0xF0) == ones &* 0x30 }
      var index = 0
      // Eight at a time: the high half of a digit is 3, and still is when 6 is added to it.
      while index + 8 <= bytes.count {
        let word = bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
        guard hasThrees(word), hasThrees(word &+ ones &* 6) else { return false }
        index += 8
      }
      while index < bytes.count, bytes[index].isDigit { index += 1 }
      return index == bytes.count
    }
  }

  /// Whether the bytes begin with `lowercased`, an ASCII text in lower case, in any case.
  func hasPrefix(inAnyCase lowercased: String) -> Bool {
    let expected = lowercased.utf8.span
    guard count >= expected.count else { return false }
    for index in expected.indices where self[index].lowercased != expected[index] { return false }
    return true
  }

  /// Whether these are the bytes of `lowercased`, an ASCII text in lower case, in any case.
  func isEqual(inAnyCase lowercased: String) -> Bool {
    count == lowercased.utf8.count && hasPrefix(inAnyCase: lowercased)
  }

  /// Whether the bytes are UTF-8 from the first to the last.
  var isUTF8: Bool { (try? UTF8Span(validating: self)) != nil }

  /// The bytes as text; nil when they are not UTF-8.
  var text: String? {
    guard let utf8 = try? UTF8Span(validating: self) else { return nil }
    return String(copying: utf8)
  }

  /// What `fnv1a` makes of nothing.
  static var fnv1aOfNothing: UInt64 { 0xCBF2_9CE4_8422_2325 }

  /// The 64-bit FNV-1a hash: the same in every process, and of a text in pieces by giving the hash of what came before.
  func fnv1a(after hash: UInt64 = fnv1aOfNothing) -> UInt64 {
    var hash = hash
    for index in indices { hash = (hash ^ UInt64(self[index])) &* 0x0000_0100_0000_01B3 }
    return hash
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

extension String {
  /// The text of bytes; what is no UTF-8 becomes U+FFFD.
  init(decoding bytes: Span<UInt8>) {
    self = bytes.withUnsafeBufferPointer { String(decoding: $0, as: UTF8.self) }
  }
}

extension UInt8 {
  /// In lower case if this is an ASCII letter.
  var lowercased: UInt8 { self &- 0x41 < 26 ? self | 0x20 : self }

  /// Whether this is an ASCII digit.
  var isDigit: Bool { self &- 0x30 < 10 }

  /// What this stands for if it is an ASCII hexadecimal digit, in either case.
  var hexValue: UInt8? {
    if isDigit { return self - 0x30 }
    let letter = lowercased &- 0x61
    return letter < 6 ? letter + 10 : nil
  }
}
