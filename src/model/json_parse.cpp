// Parsing goes through nlohmann_json's SAX interface, which keeps no call stack per level; what it lacks is added here.
#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "h5bridge/error.h"
#include "h5bridge/json.h"

namespace h5bridge {
namespace {

constexpr std::size_t kMostLevels = 512;
constexpr std::size_t kMostShared = 4096;  // objects that others of the same text share

struct Word {
  std::string_view spelling;
  double value;
};
constexpr std::array<Word, 3> kWords{{
    {"NaN", std::numeric_limits<double>::quiet_NaN()},
    {"Infinity", std::numeric_limits<double>::infinity()},
    {"-Infinity", -std::numeric_limits<double>::infinity()},
}};

/// A document in which every bare NaN and infinity is spelled null.
struct Nulled {
  std::string text;
  std::vector<Json> nulls;            // what each null of `text` stands for, in order
  std::vector<std::size_t> inserted;  // where `text` has a byte more than the document
};

std::size_t end_of_string(std::string_view text, std::size_t quote) {
  std::size_t at = quote + 1;
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return std::min(at + 1, text.size());
}

Nulled without_words(std::string_view document) {
  constexpr std::string_view kNull = "null";
  Nulled result;
  result.text.reserve(document.size() + 8);
  for (std::size_t at = 0; at < document.size();) {
    const std::string_view rest = document.substr(at);
    if (rest[0] == '"') {
      const std::size_t end = end_of_string(document, at);
      result.text += document.substr(at, end - at);
      at = end;
      continue;
    }
    const auto starts = [&](const Word& word) { return rest.starts_with(word.spelling); };
    if (const auto word = std::ranges::find_if(kWords, starts); word != kWords.end()) {
      result.nulls.emplace_back(word->value);
      result.text += kNull;
      if (word->spelling.size() < kNull.size()) result.inserted.push_back(result.text.size() - 1);
      if (word->spelling.size() > kNull.size()) result.text.append(word->spelling.size() - kNull.size(), ' ');
      at += word->spelling.size();
    } else if (rest.starts_with(kNull)) {
      result.nulls.emplace_back(nullptr);
      result.text += kNull;
      at += kNull.size();
    } else {
      result.text += rest[0];
      ++at;
    }
  }
  return result;
}

/// Walks over the text and tells how far the parser has come.
class Cursor {
 public:
  using iterator_category = std::forward_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  Cursor(const char* at, const char** furthest) : at_(at), furthest_(furthest) {}
  reference operator*() const { return *at_; }
  Cursor& operator++() {
    *furthest_ = at_++;
    return *this;
  }
  bool operator==(const Cursor& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  const char** furthest_;  // the last byte that was read
};

class Builder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  Builder(std::string_view document, const std::string& what)
      : what_(what),
        document_(without_words(document)),
        has_words_(std::ranges::any_of(document_.nulls, &Json::is_float)),
        furthest_(document_.text.data()) {}

  Json build() {
    const char* const begin = document_.text.data();
    nlohmann::json::sax_parse(Cursor(begin, &furthest_), Cursor(begin + document_.text.size(), &furthest_), this);
    return std::move(root_);
  }

  bool null() override { return add(std::move(document_.nulls.at(nulls_seen_++))); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(std::int64_t value) override { return add(value); }
  bool number_unsigned(std::uint64_t value) override {
    if (!std::in_range<std::int64_t>(value)) fail_integer(std::to_string(value));
    return add(static_cast<std::int64_t>(value));
  }
  bool number_float(double value, const std::string& spelling) override {
    // The parser makes floats of integers that do not fit; that would change them.
    if (spelling.find_first_of(".eE") == std::string::npos) fail_integer(spelling);
    return add(value);
  }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(nlohmann::json::binary_t&) override { return false; }  // JSON text has none

  bool start_object(std::size_t) override { return open(true); }
  bool start_array(std::size_t) override { return open(false); }
  bool key(std::string& name) override {
    open_.back().members.emplace_back(std::move(name), Json());
    return true;
  }
  bool end_object() override {
    Container& object = open_.back();
    const std::string_view text(object.begin, static_cast<std::size_t>(furthest_ + 1 - object.begin));
    const bool is_small = may_be_said_again(text);
    if (is_small)
      if (const auto known = small_objects_.find(text); known != small_objects_.end()) return close(known->second);
    object.members.shrink_to_fit();
    try {
      Json::Object made(std::move(object.members));
      if (is_small && small_objects_.size() < kMostShared) small_objects_.emplace(text, made);
      return close(std::move(made));
    } catch (const MalformedFile& error) {
      fail(error.what());
    }
  }
  bool end_array() override {
    open_.back().elements.shrink_to_fit();
    return close(std::move(open_.back().elements));
  }

  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception& error) override {
    // "[json...] parse error at line 1, column 2: syntax error while parsing value - invalid literal; last read: 'x'":
    // what comes first we say ourselves, and the last token may be long, or no text.
    std::string reason = error.what();
    reason.erase(0, reason.find("] ") + 2);
    if (const std::size_t place = reason.find(": "); reason.starts_with("parse error at") && place != std::string::npos)
      reason.erase(0, place + 2);
    reason.erase(std::min(reason.find("; last read: "), reason.size()));
    fail_at(position > 0 ? position - 1 : 0, reason);
  }

 private:
  struct Container {
    bool is_object;
    const char* begin;
    Json::Array elements;
    std::vector<Json::Member> members;  // the last one's value is still to come
  };

  bool add(Json value) {
    if (open_.empty())
      root_ = std::move(value);
    else if (open_.back().is_object)
      open_.back().members.back().second = std::move(value);
    else
      open_.back().elements.push_back(std::move(value));
    return true;
  }

  bool open(bool is_object) {
    if (open_.size() == kMostLevels) fail("nested more than " + std::to_string(kMostLevels) + " levels deep");
    open_.push_back({is_object, furthest_, {}, {}});
    return true;
  }

  bool close(Json container) {
    open_.pop_back();
    return add(std::move(container));
  }

  // Configurations have the same initialisers and dtype policies in each layer: they share one object. A null may stand
  // for one of the words. Longer texts are not even looked for, as each has all that is in it.
  bool may_be_said_again(std::string_view text) const {
    constexpr std::size_t kLongest = 512;
    return !has_words_ && text.size() <= kLongest;
  }

  [[noreturn]] void fail(const std::string& reason) const {
    fail_at(static_cast<std::size_t>(furthest_ - document_.text.data()), reason);
  }

  [[noreturn]] void fail_integer(const std::string& spelling) const {
    constexpr std::size_t kMostDigits = 40;
    fail("the integer " + (spelling.size() > kMostDigits ? spelling.substr(0, kMostDigits) + "..." : spelling) +
         " does not fit 64 bits");
  }

  [[noreturn]] void fail_at(std::size_t position, const std::string& reason) const {
    const auto shift = std::ranges::count_if(document_.inserted, [&](std::size_t at) { return at <= position; });
    throw MalformedFile(what_ + ": not valid JSON at byte " +
                        std::to_string(position - static_cast<std::size_t>(shift)) + ": " + reason);
  }

  const std::string& what_;
  Nulled document_;
  bool has_words_;
  std::size_t nulls_seen_ = 0;
  std::unordered_map<std::string_view, Json::Object> small_objects_;
  const char* furthest_;
  std::vector<Container> open_;
  Json root_;
};

}  // namespace

Json Json::parse(std::string_view text, const std::string& what) {
  return with_errors([&] { return Builder(text, what).build(); });
}

}  // namespace h5bridge
