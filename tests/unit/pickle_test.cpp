#include "files/pickle.h"

#include <catch2/catch.hpp>
#include <limits>
#include <random>

#include "files/little_endian.h"
#include "files/pickle_json.h"
#include "files/pickle_writer.h"
#include "h5bridge/error.h"

using namespace h5bridge;
using namespace std::string_literals;
using Catch::Matchers::Contains;

namespace {

pickle::Document read(const std::string& code) { return pickle::read(bytes_of(code)); }

Json to_json(const pickle::Value& value) {
  std::size_t spare = std::size_t{1} << 30;
  return pickle::to_json(value, {}, spare);
}

/// The JSON of what a pickle holds.
std::string json(const std::string& code) { return to_json(read(code).root()).dump(); }

void check_malformed(const std::string& code, const std::string& message) {
  CHECK_THROWS_AS(read(code), MalformedFile);
  CHECK_THROWS_WITH(read(code), message);
}

}  // namespace

TEST_CASE("pickle: scalars of every protocol") {
  CHECK(json("N.") == "null");
  CHECK(json("I01\n.") == "true");
  CHECK(json("\x89.") == "false");
  CHECK(json("I-12\n.") == "-12");
  CHECK(json("L34L\n.") == "34");
  CHECK(json("K\xff.") == "255");
  CHECK(json("M\xff\xff.") == "65535");
  CHECK(json("J\xff\xff\xff\xff.") == "-1");
  CHECK(json("\x8a\x00."s) == "0");
  CHECK(json("\x8a\x02\x00\x80."s) == "-32768");
  CHECK(json("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x80\x00."s) == R"({"$int": "9223372036854775808"})");
  CHECK(json("\x8a\x09\x00\x00\x00\x00\x00\x00\x00\x00\xff."s) == R"({"$int": "-18446744073709551616"})");
  CHECK(json("\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.") == R"({"$int": "119547037146038801333356"})");
  CHECK(json("F0.5\n.") == "0.5");
  CHECK(json("G\x3f\xe0\x00\x00\x00\x00\x00\x00."s) == "0.5");
  CHECK(json("S'a\\'b\\x41'\n.") == R"("a'bA")");
  CHECK(json("U\x02hi.") == R"("hi")");
  CHECK(json("U\x01\xff.") == R"({"$bytes": 1})");
  CHECK(json("V\\u2603\xfc\n.") == "\"\xe2\x98\x83\xc3\xbc\"");
  CHECK(json("\x8c\x02hi.") == R"("hi")");
  CHECK(json("\x8d\x02\x00\x00\x00\x00\x00\x00\x00hi."s) == R"("hi")");
  CHECK(json("C\x02hi.") == R"({"$bytes": 2})");
  CHECK(json("\x96\x02\x00\x00\x00\x00\x00\x00\x00hi."s) == R"({"$bytes": 2})");
}

TEST_CASE("pickle: containers") {
  CHECK(json("(K\x01K\x02t.") == "[1, 2]");
  CHECK(json("K\x01K\x02K\x03\x87.") == "[1, 2, 3]");
  CHECK(json("(K\x01l.") == "[1]");
  CHECK(json("]K\x01"
             "a(K\x02K\x03"
             "e.") == "[1, 2, 3]");
  CHECK(json("(U\x01"
             "aK\x01"
             "d.") == R"({"a": 1})");
  CHECK(json("}U\x01"
             "aK\x01s(U\x01"
             "bK\x02u.") == R"({"a": 1, "b": 2})");
  CHECK(json("}K\x01K\x02s.") == R"({"$dict": [[1, 2]]})");
  CHECK(json("\x8f(K\x01\x90.") == R"({"$set": [1]})");
  CHECK(json("c__builtin__\nset\n](K\x01"
             "e\x85R.") == R"({"$set": [1]})");
  CHECK(json("c_codecs\nencode\nX\x02\x00\x00\x00\xc3\xbfU\x06latin1\x86R."s) == R"({"$bytes": 1})");
  CHECK(json("ccollections\nOrderedDict\n)R(U\x01"
             "aK\x01u.") == R"({"a": 1})");
  CHECK(json("ccollections\nOrderedDict\n](](U\x01"
             "aK\x01"
             "ee\x85R.") == R"({"a": 1})");
  CHECK(json("\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94K\x01"
             "a."s) == "[1]");
}

TEST_CASE("pickle: memo, stack and marks") {
  CHECK(json("]q\x07h\x07\x86.") == "[[], []]");
  CHECK(json("K\x05p12\n0g12\n.") == "5");
  CHECK(json("K\x01r\x00\x01\x00\x00"
             "0j\x00\x01\x00\x00."s) == "1");
  CHECK(json("K\x01\x94K\x02\x94h\x00\x87."s) == "[1, 2, 1]");
  CHECK(json("K\x01"
             "2\x86.") == "[1, 1]");
  CHECK(json("K\x01(K\x02K\x03"
             "1.") == "1");
  CHECK(json("K\x01(0.") == "1");
}

TEST_CASE("pickle: classes and functions stay names") {
  CHECK(json("cos\nsystem\nU\x05rm -r\x85R.") == R"({"$class": "os.system", "args": ["rm -r"]})");
  CHECK(json("\x8c\x02os\x8c\x06system\x93.") == R"({"$global": "os.system"})");
  CHECK(json("cargparse\nNamespace\n)\x81}U\x02lrK\x01sb.") ==
        R"({"$class": "argparse.Namespace", "state": {"lr": 1}})");
  CHECK(json("ca\nB\n)}U\x01kK\x01s\x92.") == R"({"$class": "a.B", "keywords": {"k": 1}})");
  CHECK(json("(K\x01ia\nB\n.") == R"({"$class": "a.B", "args": [1]})");
  CHECK(json("(ca\nB\nK\x01o.") == R"({"$class": "a.B", "args": [1]})");
  CHECK(json("ca\nB\n)\x81K\x01"
             "aK\x02K\x03s.") == R"({"$class": "a.B", "items": [1], "entries": {"$dict": [[2, 3]]}})");
  CHECK(json("U\x01xQ.") == R"({"$persistent": "x"})");
  CHECK(json("Px\n.") == R"({"$persistent": "x"})");
}

TEST_CASE("pickle: NumPy scalars are numbers") {
  const std::string scalar =
      "cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x02"
      "f8\x89\x88\x87RC\x08"s +
      "\x00\x00\x00\x00\x00\x00\xe0\x3f\x86R."s;
  CHECK(pickle::number(read(scalar).root()) == 0.5);
  CHECK(json(scalar) == "0.5");
}

TEST_CASE("pickle: what is malformed is refused with its place") {
  check_malformed("", "pickle: byte 0: truncated: 1 bytes wanted, 0 left");
  check_malformed("\xf0", "pickle: byte 0: there is no such opcode (240)");
  check_malformed("\x80\x06", "pickle: byte 0 (PROTO): protocol 6 is not known; 0 to 5 are");
  check_malformed(".", "pickle: byte 0 (STOP): the stack is empty");
  check_malformed(
      "X\x05\x00\x00\x00"
      "abc"s,
      "pickle: byte 0 (BINUNICODE): truncated: 5 bytes wanted, 3 left");
  check_malformed("\x8e\xff\xff\xff\xff\xff\xff\xff\xff",
                  "pickle: byte 0 (BINBYTES8): truncated: 18446744073709551615 bytes wanted, 0 left");
  check_malformed("X\x01\x00\x00\x00\xff."s, "pickle: byte 0 (BINUNICODE): text is not UTF-8");
  check_malformed("Nh\x03.", "pickle: byte 1 (BINGET): nothing is memoised under 3");
  check_malformed("Nt.", "pickle: byte 1 (TUPLE): no mark is set");
  check_malformed("K\x01(\x86.", "pickle: byte 3 (TUPLE2): the stack holds too few values");
  check_malformed("N(a.", "pickle: byte 2 (APPEND): the stack is empty");
  check_malformed(
      "NK\x01"
      "a.",
      "pickle: byte 3 (APPEND): items are appended to None");
  check_malformed(")K\x01K\x02s.", "pickle: byte 5 (SETITEM): items are set on a tuple");
  check_malformed("}(K\x01u.", "pickle: byte 4 (SETITEMS): a key has no value");
  check_malformed(
      "]K\x01"
      "b.",
      "pickle: byte 3 (BUILD): a state is set on a list");
  check_malformed("ca\nb\nNR.", "pickle: byte 6 (REDUCE): arguments are None, not a tuple");
  check_malformed("ca\nb", "pickle: byte 0 (GLOBAL): truncated: a line has no end");
  check_malformed("I1x\n.", "pickle: byte 0 (INT): '1x' is no integer");
  check_malformed("F?\n.", "pickle: byte 0 (FLOAT): '?' is no float");
  check_malformed("\x82\x01.", "pickle: byte 0 (EXT1): extension codes stand for names that only their writer knows");
  check_malformed("\x97.", "pickle: byte 0 (NEXT_BUFFER): the pickle refers to buffers outside of it");
  check_malformed("\x8b\x00\x10\x00\x00"s + std::string(4096, '\1'),
                  "pickle: byte 0 (LONG4): an integer of 4096 bytes");
}

TEST_CASE("pickle: cycles, deep nesting and shared references neither recurse nor explode") {
  const pickle::Document cycle = read(
      "]q\x00h\x00"
      "a."s);
  CHECK(pickle::sequence(cycle.root())->front() == &cycle.root());
  CHECK_THROWS_WITH(to_json(cycle.root()), Contains("nested more than 100 deep"));

  const pickle::Document deep = read(std::string(300'000, ']') + std::string(299'999, 'a') + ".");
  CHECK_THROWS_WITH(to_json(deep.root()), Contains("nested more than 100 deep"));

  std::string doubling = ")";
  for (int i = 0; i < 60; ++i) doubling += "2\x86";
  const pickle::Document shared = read(doubling + ".");
  CHECK_THROWS_WITH(to_json(shared.root()), Contains("stand for more than 1000000 values"));
}

TEST_CASE("pickle: several in a row are read one by one") {
  const std::string code = "K\x01.K\x02.";
  const pickle::Document first = read(code);
  CHECK(first.size() == 3);
  CHECK(json(code.substr(first.size())) == "2");
}

TEST_CASE("pickle: what the writer writes is read back") {
  std::mt19937_64 random(1);
  pickle::Writer writer;
  Json::Array expected;
  writer.mark();
  std::vector<std::int64_t> integers = {0,
                                        255,
                                        256,
                                        65535,
                                        65536,
                                        -1,
                                        std::numeric_limits<std::int32_t>::max(),
                                        std::numeric_limits<std::int32_t>::min(),
                                        std::numeric_limits<std::int64_t>::min(),
                                        std::numeric_limits<std::int64_t>::max()};
  for (int i = 0; i < 50; ++i) integers.push_back(static_cast<std::int64_t>(random()) >> (random() % 64));
  for (const std::int64_t value : integers) {
    writer.integer(value);
    expected.push_back(value);
  }
  for (int round = 0; round < 2; ++round)
    for (int i = 0; i < 300; ++i) {  // more than one byte can number
      writer.text("text " + std::to_string(i));
      expected.push_back("text " + std::to_string(i));
    }
  for (const double value : {0.1, -0.0, 1e300, std::numeric_limits<double>::infinity()}) {
    writer.real(value);
    expected.push_back(value);
  }
  writer.boolean(true);
  writer.boolean(false);
  writer.none();
  expected.insert(expected.end(), {true, false, nullptr});
  writer.tuple();
  CHECK(to_json(read(writer.finish()).root()) == Json(expected));
}

TEST_CASE("pickle: what values may take follows the size of the file that they are in") {
  const std::string lists = "](" + std::string(1 << 20, ']') + "e.";
  CHECK_THROWS_AS(read(lists), MalformedFile);
  CHECK_THROWS_WITH(read(lists), Contains("its values take more than 43 MiB, which is too much for a file this small"));
  CHECK(pickle::read(bytes_of(lists), 32 << 20).count() == (1 << 20) + 2);
  // Copies of a long list count, and so does what a memo keeps.
  std::string sets = "](cbuiltins\nset\nq\x00("s + std::string(100'000, 'N') + "lq\x01";
  for (int i = 0; i < 1000; ++i) sets += "h\x00h\x01\x85R"s;
  CHECK_THROWS_WITH(read(sets + "e."), Contains("its values take more than"));
  std::string memo = "N";
  for (std::uint32_t i = 0; i < 1'000'000; ++i)
    memo += "r"s + std::string(reinterpret_cast<const char*>(&i), 3) + "\x7f";
  CHECK_THROWS_WITH(read(memo + "."), Contains("its values take more than"));
  // Small integers are shared.
  std::string small = "](";
  for (int i = 0; i < 1 << 20; ++i) small += "K\x07";
  CHECK(read(small + "e.").count() == 3);
}
