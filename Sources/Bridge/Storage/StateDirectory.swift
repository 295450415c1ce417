// Where the bridge keeps what outlives it. By default that is a directory of its own for each working directory, out of reach
// of the commands that Codex runs in there.

import Glibc

/// Opens the state directory.
enum StateDirectory {
  /// A file in it.
  struct File {
    let name: String
    /// A larger one is not read.
    let maxBytes: Int
  }

  /// Which session runs on which thread (`ThreadMap`).
  static let sessionMap = File(name: ".codex_threads.json", maxBytes: 256 << 20)
  /// What has changed since the map was written (`SessionJournal`).
  static let sessionJournal = File(name: ".codex_threads.journal", maxBytes: 2 * sessionMap.maxBytes)
  /// The conversations of `bridged chat` (`ChatListFile`).
  static let chatList = File(name: ".codex_chats.json", maxBytes: 1 << 20)
  /// The one conversation that earlier versions of `bridged chat` kept (`ChatThreadFile`).
  static let chatThread = File(name: ".codex_thread.json", maxBytes: 1 << 16)

  /// The files that earlier bridges and the original project have kept in the working directory. The journal is copied first:
  /// what is folded from it into the map meanwhile is in the map, which is copied after it.
  private static let filesToCopy = [sessionJournal, sessionMap, chatThread]

  /// The path of the directory, which is there and safe from other users. The default one is made if it is missing, with a
  /// copy of the sessions in the working directory; those are left to the original project.
  static func open(_ configuration: Configuration) throws(ConfigurationError) -> String {
    let path = try configuration.stateDirectory
    if configuration[Settings.stateDirectory] != nil {
      try requireOwner(of: path, mayShareWithGroup: true)
      return path
    }
    do throws(FileError) {
      if access(path, F_OK) != 0 { try make(path, from: configuration.workingDirectory) }
    } catch {
      throw ConfigurationError(
        description:
          "\(path) cannot be made: \(error); set \(Settings.stateDirectory.name) to a writable directory")
    }
    try requireOwner(of: parent(of: path), mayShareWithGroup: false)
    try requireOwner(of: path, mayShareWithGroup: false)
    return path
  }

  /// The file for the lines a person types, in a directory that is there; nil if there is no place for it.
  static func chatHistoryPath(_ configuration: Configuration) -> String? {
    guard let path = configuration.chatHistoryPath else { return nil }
    do throws(FileError) {
      try FileContents.makeDirectories(parent(of: path))
      return path
    } catch {
      return nil
    }
  }

  /// Refuses a directory that another user owns or may write to: that user could change whose sessions lie in it. One that
  /// was set by name may be shared with a group, as volumes of containers are.
  private static func requireOwner(of path: String, mayShareWithGroup: Bool) throws(ConfigurationError) {
    var status = stat()
    guard stat(path, &status) == 0 else { throw ConfigurationError(description: "\(path): \(systemError())") }
    let isOwn = status.st_uid == geteuid() || mayShareWithGroup && status.st_uid == 0
    let closed = mayShareWithGroup ? S_IWOTH : S_IWGRP | S_IWOTH
    guard isOwn, status.st_mode & closed == 0 else {
      throw ConfigurationError(
        description: "\(path) is no safe place for sessions, because "
          + (isOwn ? "other users may write to it" : "it belongs to another user")
          + "; set \(Settings.stateDirectory.name) to a directory of your own")
    }
  }

  /// Makes the directory with all that is copied into it, or not at all: it is filled under another name and then renamed.
  /// The files are copied at no other time, so that a map that was deleted to forget all sessions does not come back.
  private static func make(_ path: String, from workingDirectory: String) throws(FileError) {
    try FileContents.makeDirectories(parent(of: path))
    var template = Array("\(path).new-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw .system() }
    let unfinished = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let copied = filesToCopy.filter { copy($0, from: workingDirectory, to: unfinished) }.map(\.name)
    guard rename(unfinished, path) == 0 else {
      let error = FileError.system()
      for name in copied { unlink("\(unfinished)/\(name)") }
      rmdir(unfinished)
      // Another bridge has made it meanwhile.
      if error == .system(ENOTEMPTY) || error == .system(EEXIST) { return }
      throw error
    }
    guard !copied.isEmpty else { return }
    Log.info(
      "the sessions found in the working directory were copied; the files there are not used any more",
      ["from": workingDirectory, "to": path, "files": copied.joined(separator: " ")])
  }

  /// Copies a file of this user or of root. False if there is no such file, or it cannot be read or written.
  private static func copy(_ copied: File, from source: String, to target: String) -> Bool {
    let name = copied.name
    let contents: FileContents
    do throws(FileError) {
      let file = try FoundFile("\(source)/\(name)")
      if file.status.st_uid != geteuid(), file.status.st_uid != 0 { return false }
      contents = file.contents(limit: copied.maxBytes)
    } catch {
      return false
    }
    guard case .bytes(let bytes) = contents else {
      Log.warning("a file in the working directory is not copied", ["file": "\(source)/\(name)"])
      return false
    }
    do throws(FileError) {
      try FileContents.replace("\(target)/\(name)", with: bytes)
      return true
    } catch {
      Log.warning(
        "a file in the working directory is not copied", ["file": "\(source)/\(name)", "error": error.description])
      return false
    }
  }

  private static func parent(of path: String) -> String {
    path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
  }
}
