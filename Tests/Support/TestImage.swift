// Pictures for tests.

import FoundationEssentials

/// A small picture.
enum TestImage {
  /// One red pixel as PNG.
  static let base64 =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"
  static let dataURL = "data:image/png;base64," + base64

  static let png = bytes(base64)

  // The following have eight by six pixels.

  /// A baseline JPEG.
  static let jpeg = bytes(
    """
    /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACgcHiMeGSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+AjIqgtObDoKrarYqMyP/L2u71\
    ////m8H////6/+b9//j/wAALCAAGAAgBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUF\
    BAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVW\
    V1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi\
    4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/AG1//9k=
    """)

  /// A JPEG in several scans.
  static let progressiveJPEG = bytes(
    """
    /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACgcHiMeGSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+AjIqgtObDoKrarYqMyP/L2u71\
    ////m8H////6/+b9//j/2wBDASstLTw1PHZBQXb4pYyl+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4\
    +Pj4+Pj4+Pj/wgARCAAGAAgDASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAP/xAAVAQEBAAAAAAAAAAAAAAAAAAACBP/a\
    AAwDAQACEAMQAAABkBR//8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABBQJ//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgB\
    AwEBPwF//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAgEBPwF//8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQAGPwJ//8QA\
    FBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPyF//9oADAMBAAIAAwAAABD7/8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAwEB\
    PxB//8QAFBEBAAAAAAAAAAAAAAAAAAAAAP/aAAgBAgEBPxB//8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxB//9k=
    """)

  /// A GIF of one frame.
  static let gif = bytes(
    """
    R0lGODdhCAAGAIEAAP8AAAAAAAAAAAAAACwAAAAACAAGAAAIDgABCBxIsKDBgwgTDgwIADs=
    """)

  /// A GIF of two frames.
  static let animatedGIF = bytes(
    """
    R0lGODdhCAAGAIEAAP8AAAAAAAAAAAAAACwAAAAACAAGAAAIDgABCBxIsKDBgwgTDgwIACH5BAEAAAIALAAAAAAIAAYAgQAAAP8A\
    AAAAAAAAAAgOAAEIHEiwoMGDCBMODAgAOw==
    """)

  /// A WebP with losses.
  static let webp = bytes(
    """
    UklGRjIAAABXRUJQVlA4ICYAAABwAQCdASoIAAYAB0CWJaACdAFAAAD+5AFjCaSdH8zfhR8nUAAAAA==
    """)

  /// A WebP without.
  static let losslessWebP = bytes(
    """
    UklGRiIAAABXRUJQVlA4TBYAAAAvB0ABAAdQjyLXo/8BgCD8b5uI6H8I
    """)

  /// A WebP with a canvas and a channel of opacity.
  static let alphaWebP = bytes(
    """
    UklGRk4AAABXRUJQVlA4WAoAAAAQAAAABwAABQAAQUxQSA8AAAABB1CyiAgABOF/20RE/0MAVlA4IBgAAAAwAQCdASoIAAYAB0CW\
    JaQAA3AA/u+WQAA=
    """)

  /// A WebP of two frames.
  static let animatedWebP = bytes(
    """
    UklGRrAAAABXRUJQVlA4WAoAAAACAAAABwAABQAAQU5JTQYAAAAAAAAAAABBTk1GPgAAAAAAAAAAAAcAAAUAAAAAAAJWUDggJgAA\
    ADABAJ0BKggABgAHQJYloAADcAD+5AF/pLpchv/9Xfnb9T2wAAAAQU5NRj4AAAAAAAAAAAAHAAAFAAAAAAAAVlA4ICYAAAA0AQCd\
    ASoIAAYAAACWJaAAA3AA/u3O3//43j/Jd/bvt5/QfFfAAA==
    """)

  private static func bytes(_ base64: String) -> [UInt8] { [UInt8](Data(base64Encoded: base64) ?? Data()) }
}
