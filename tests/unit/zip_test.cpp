#include "files/zip.h"

#include <zlib.h>

#include <catch2/catch.hpp>
#include <random>
#include <sstream>

#include "files/little_endian.h"
#include "h5bridge/error.h"
#include "model/checked_bytes.h"

using namespace h5bridge;
using Catch::Matchers::Contains;

namespace {

std::vector<std::byte> to_bytes(std::string_view text) {
  const auto bytes = bytes_of(text);
  return {bytes.begin(), bytes.end()};
}
ByteSourcePtr source_of(std::string_view text) { return bytes_in_memory(to_bytes(text)); }

std::string random_text(std::size_t size) {
  static std::mt19937 random(1);
  std::string text;
  while (text.size() < size) text.push_back(static_cast<char>(random()));
  return text;
}

template <std::unsigned_integral... T>
std::string record(T... fields) {
  std::string bytes;
  (append_little_endian(bytes, fields), ...);
  return bytes;
}

using U16 = std::uint16_t;
using U32 = std::uint32_t;

/// An archive put together by hand, with every field that a test may want to get wrong.
struct Crafted {
  struct Entry {
    std::string name;
    std::string stored;
    U32 size = 0;
    U32 crc = 0;
    U16 method = 0;
    U16 flags = 0;
    std::string local_name = name;
    U32 header_shift = 0;  // added to where the directory says that the header is
  };
  std::vector<Entry> entries;
  U16 count_error = 0;
  U32 directory_shift = 0;

  std::string bytes() const {
    std::string file;
    std::string directory;
    const U16 none = 0;
    for (const Entry& e : entries) {
      const U32 stored = static_cast<U32>(e.stored.size());
      directory += record(U32{0x02014b50}, U16{20}, U16{20}, e.flags, e.method, U32{0}, e.crc, stored, e.size,
                          static_cast<U16>(e.name.size()), none, none, none, none, U32{0},
                          static_cast<U32>(file.size()) + e.header_shift) +
                   e.name;
      file += record(U32{0x04034b50}, U16{20}, e.flags, e.method, U32{0}, e.crc, stored, e.size,
                     static_cast<U16>(e.local_name.size()), none) +
              e.local_name + e.stored;
    }
    const U16 count = static_cast<U16>(entries.size() + count_error);
    return file + directory +
           record(U32{0x06054b50}, none, none, count, count, static_cast<U32>(directory.size()),
                  static_cast<U32>(file.size()) + directory_shift, none);
  }
};

U32 crc_of(const std::string& text) {
  return static_cast<U32>(crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size()));
}

Crafted::Entry stored(const std::string& name, const std::string& content) {
  return {name, content, static_cast<U32>(content.size()), crc_of(content), 0, 0, name, 0};
}

Crafted::Entry deflated(const std::string& name, const std::string& content) {
  std::string packed(compressBound(content.size()), '\0');
  uLongf size = packed.size();
  compress2(reinterpret_cast<Bytef*>(packed.data()), &size, reinterpret_cast<const Bytef*>(content.data()),
            content.size(), 9);
  // A zlib stream is a raw one between a header of two bytes and a checksum of four.
  return {name, packed.substr(2, size - 6), static_cast<U32>(content.size()), crc_of(content), 8, 0, name, 0};
}

std::string content(const ZipReader& archive, const std::string& name) {
  REQUIRE(archive.find(name));
  return std::string(text_of(archive.read(*archive.find(name))));
}

void check_malformed(const std::string& file, const std::string& message) {
  CHECK_THROWS_AS(ZipReader(source_of(file)), MalformedFile);
  CHECK_THROWS_WITH(ZipReader(source_of(file)), Contains(message));
}

}  // namespace

TEST_CASE("zip: what is written is read back, aligned to 64 bytes") {
  const std::vector<std::pair<std::string, std::string>> files = {{"a/data.pkl", random_text(100)},
                                                                  {"a/empty", ""},
                                                                  {"a/\xc3\xbc", random_text(1)},
                                                                  {"a/large", random_text(200'000)}};
  std::ostringstream out;
  ZipWriter writer(out);
  for (const auto& [name, text] : files) writer.add(name, text);
  writer.finish();

  const ZipReader archive(source_of(out.str()));
  REQUIRE(archive.entries().size() == files.size());
  for (std::size_t i = 0; i < files.size(); ++i) {
    CHECK(archive.entries()[i].name == files[i].first);
    CHECK(archive.entries()[i].data_offset % 64 == 0);
    CHECK(content(archive, files[i].first) == files[i].second);
  }
  CHECK(archive.find("a/absent") == nullptr);
}

TEST_CASE("zip: more than 65,535 entries need zip64") {
  std::ostringstream out;
  ZipWriter writer(out);
  for (int i = 0; i < 66'000; ++i) writer.add(std::to_string(i), "");
  writer.finish();
  CHECK(ZipReader(source_of(out.str())).entries().size() == 66'000);
}

TEST_CASE("zip: an entry is written in pieces, and must have the announced size") {
  std::ostringstream out;
  ZipWriter writer(out);
  const std::string text = random_text(1000);
  writer.add("x", text.size(), [&](const ZipWriter::Sink& sink) {
    for (std::size_t i = 0; i < text.size(); i += 10) sink(bytes_of(std::string_view(text).substr(i, 10)));
  });
  CHECK_THROWS_AS(writer.add("y", 3, [](const ZipWriter::Sink& sink) { sink(bytes_of("four")); }), std::logic_error);
  std::ostringstream broken;
  broken.setstate(std::ios::badbit);
  CHECK_THROWS_AS(ZipWriter(broken).add("x", "y"), SystemFailure);
}

TEST_CASE("zip: deflated entries are inflated when they are read") {
  const std::string text = random_text(1000) + std::string(500'000, 'a');
  const ZipReader archive(source_of(Crafted{{deflated("d", text), stored("s", "xyz")}}.bytes()));
  CHECK(content(archive, "d") == text);
  CHECK(content(archive, "s") == "xyz");
  std::vector<std::byte> part(3);
  archive.open(*archive.find("d"))->read_at(999, part);
  CHECK(text_of(part) == std::string_view(text).substr(999, 3));
}

TEST_CASE("zip: an archive without checksums is read, one that lacks some is damaged") {
  Crafted::Entry first = stored("a", "first"), second = stored("b", "second");
  first.crc = 0;
  const ZipReader some(source_of(Crafted{{first, second}}.bytes()));
  CHECK_THROWS_WITH(some.read(some.entries()[0]), "zip: entry 'a': its checksum is wrong (damaged?)");
  second.crc = 0;
  const ZipReader none(source_of(Crafted{{first, second}}.bytes()));
  CHECK(text_of(none.read(none.entries()[0])) == "first");
}

TEST_CASE("zip: damaged content") {
  Crafted::Entry wrong_sum = stored("s", "content");
  ++wrong_sum.crc;
  const ZipReader archive(source_of(Crafted{{wrong_sum}}.bytes()));
  CHECK_THROWS_WITH(archive.read(archive.entries()[0]), "zip: entry 's': its checksum is wrong (damaged?)");

  for (const int change : {-1, 1}) {
    Crafted::Entry wrong_size = deflated("d", std::string(1000, 'x'));
    wrong_size.size += static_cast<U32>(change);
    const ZipReader other(source_of(Crafted{{wrong_size}}.bytes()));
    CHECK_THROWS_WITH(other.read(other.entries()[0]),
                      Contains("its deflated content is damaged, or not the " + std::to_string(1000 + change)));
  }
}

TEST_CASE("zip: what is opened is compared with its checksum, in whatever order it is read") {
  const std::string text = random_text(70'001);
  for (const bool is_damaged : {false, true}) {
    Crafted::Entry entry = stored("s", text);
    if (is_damaged) entry.stored[40'000] = static_cast<char>(entry.stored[40'000] ^ 4);
    const ZipReader archive(source_of(Crafted{{entry}}.bytes()));
    const auto read = [](const ByteSource& source, std::uint64_t begin, std::uint64_t end) {
      std::vector<std::byte> bytes(end - begin);
      source.read_at(begin, bytes);
    };
    // Pieces that overlap and leave gaps, with the last of them at the end, in the middle and at the beginning.
    for (const std::vector<std::uint64_t>& order :
         {std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5, 6}, {6, 5, 4, 3, 2, 1, 0}, {2, 0, 6, 4, 4, 1, 5, 3}}) {
      const ByteSourcePtr source = archive.open(archive.entries()[0]);
      for (std::size_t i = 0; i < order.size(); ++i) {
        const auto piece = [&] {
          read(*source, order[i] * 10'000, std::min<std::uint64_t>(70'001, order[i] * 10'000 + 10'500));
        };
        if (is_damaged && i + 1 == order.size())
          CHECK_THROWS_WITH(piece(), "the source's zip entry 's' is damaged: its checksum is wrong");
        else
          CHECK_NOTHROW(piece());
      }
    }
    const ByteSourcePtr source = archive.open(archive.entries()[0]);
    for (const std::uint64_t begin : {5, 300, 60'000}) read(*source, begin, begin + 250);
    const ByteSourcePtr part = part_of(source, 100, 50);
    if (is_damaged)
      for (int i = 0; i < 2; ++i) CHECK_THROWS_AS(check_rest(*part), MalformedFile);
    else
      CHECK_NOTHROW(check_rest(*part));
  }
}

TEST_CASE("zip: malformed archives") {
  const Crafted good{{stored("a", "first"), stored("b", "second")}};
  CHECK(ZipReader(source_of(good.bytes())).entries().size() == 2);
  const std::string whole = good.bytes();
  for (std::size_t size = 0; size < whole.size(); ++size) check_malformed(whole.substr(0, size), "no end record");

  Crafted bad = good;
  bad.entries[1].name = bad.entries[1].local_name = "a";
  check_malformed(bad.bytes(), "zip: entry 'a': two entries have this name");
  bad = good;
  bad.entries[1].local_name = "c";
  check_malformed(bad.bytes(), "zip: entry 'b': its local header contradicts the directory");
  bad = good;
  bad.entries[1].header_shift = 1;
  check_malformed(bad.bytes(), "zip: entry 'b': no local header at byte 37");
  bad = good;
  bad.entries[0].header_shift = 1U << 30;
  check_malformed(bad.bytes(), "is outside of the file");
  bad = good;
  bad.count_error = 1000;
  check_malformed(bad.bytes(), "zip: 1002 entries do not fit in a directory of 94 bytes");
  bad = good;
  bad.directory_shift = 1;
  check_malformed(bad.bytes(), "leaves the file");
  bad = good;
  bad.entries[1].size += 1;
  check_malformed(bad.bytes(), "zip: entry 'b': it is stored, but states two sizes, 6 and 7");
  bad = good;
  bad.entries[0].flags = 1;
  CHECK_THROWS_AS(ZipReader(source_of(bad.bytes())), Unsupported);
  bad = good;
  bad.entries[0].method = 14;
  CHECK_THROWS_WITH(ZipReader(source_of(bad.bytes())), Contains("compression method 14"));
}

TEST_CASE("zip: a hostile name does not break the one line of an error") {
  const Crafted::Entry twice = stored("a\nb\x1b", "");
  check_malformed(Crafted{{twice, twice}}.bytes(), "zip: entry 'a\\x0ab\\x1b': two entries have this name");
}

TEST_CASE("zip: overlapping entries") {
  // The second entry lies inside of the first one's content.
  const std::string inner = Crafted{{stored("b", "inner")}}.bytes();
  Crafted bad{{stored("a", inner.substr(0, 30 + 1 + 5)), stored("b", "inner")}};
  bad.entries[1].header_shift = static_cast<U32>(-36);
  check_malformed(bad.bytes(), "zip: entry 'b': it overlaps entry 'a'");
}

TEST_CASE("zip: bombs") {
  Crafted::Entry lie = deflated("d", "small");
  lie.size = 1U << 20;
  check_malformed(Crafted{{lie}}.bytes(), "cannot inflate to the 1048576 declared");

  Crafted::Entry bomb = deflated("d", std::string(1 << 22, '\0'));
  Crafted many;
  for (int i = 0; i < 300; ++i) {
    bomb.name = bomb.local_name = std::to_string(i);
    many.entries.push_back(bomb);
  }
  check_malformed(many.bytes(), "(a zip bomb?)");
}

TEST_CASE("zip: recognised by its first bytes") {
  CHECK(looks_like_zip(*source_of(Crafted{{stored("a", "")}}.bytes())));
  CHECK(looks_like_zip(*source_of(Crafted{}.bytes())));
  CHECK_FALSE(looks_like_zip(*source_of("PK")));
  CHECK_FALSE(looks_like_zip(*source_of("\x89HDF\r\n")));
}
