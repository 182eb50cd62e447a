#include "pytorch/python_source/loops.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>

#include "facets/registry.h"
#include "facets/torch_source/python.h"
#include "pytorch/python_source/names.h"
#include "pytorch/python_source/paths.h"

namespace h5bridge::torch_source {
namespace {

// An item by what it does; `number` is that of the module in the outermost list that it is in.
struct Kind {
  std::string text;
  std::optional<std::int64_t> number = std::nullopt;
};

Kind kind_of_module(const SourceModule& holder, const SourceModule& module) {
  std::string behind;
  const SourceModule* outermost = nullptr;
  for (const SourceModule* at = &module; at != &holder; at = at->parent)
    if (at->parent != &holder && is_list(*at->parent)) outermost = at;
  for (const SourceModule* at = &module; at != outermost && at != &holder; at = at->parent)
    behind = "." + at->name + behind;
  if (!outermost) return {module.path};
  return {outermost->parent->path + "[]" + behind, std::stoll(outermost->name)};
}

Kind kind_of(const ModuleTree& tree, const SourceModule& holder, const SourceItem& item) {
  if (item.module) return kind_of_module(holder, *item.module);
  const Layer& layer = tree.layer_of(item.node);
  if (const SourceModule* own = tree.module_of(layer)) return kind_of_module(holder, *own);
  return {layer.type};
}

bool are_alike(const Kind& first, const Kind& later, std::int64_t step) {
  if (first.text != later.text || first.number.has_value() != later.number.has_value()) return false;
  return !first.number || *first.number + step == *later.number;
}

// How often the items from `first` on do the same, forwards or backwards through lists.
std::size_t times_from(const std::vector<Kind>& kinds, std::size_t first, std::size_t period, std::int64_t step) {
  std::size_t times = 1;
  for (; first + (times + 1) * period <= kinds.size(); ++times)
    for (std::size_t i = 0; i < period; ++i)
      if (!are_alike(kinds[first + i], kinds[first + times * period + i], step * static_cast<std::int64_t>(times)))
        return times;
  return times;
}

std::string singular_of(const SourceModule& list) {
  const std::string one = module_names_of_list(list);
  if (!one.empty() && one != list.name) return one;
  return list.children[0]->layer ? "layer" : "block";
}

// "self.layers[12]" as "self.layers" and 12, read at `at`; no number that is one of another list's.
std::optional<std::size_t> number_behind(const std::string& text, std::size_t at, std::size_t& end) {
  if (at >= text.size() || text[at] != '[') return std::nullopt;
  std::size_t number = 0;
  const auto [rest, error] = std::from_chars(text.data() + at + 1, text.data() + text.size(), number);
  if (error != std::errc{} || *rest != ']') return std::nullopt;
  end = static_cast<std::size_t>(rest - text.data()) + 1;
  return number;
}

// A time's statements with places for lists' modules, and which modules these are.
struct Time {
  std::string text;
  std::vector<std::optional<std::size_t>> numbers;  // by list
  bool is_plain = true;                             // one module of each list
};

Time read_time(const std::vector<std::string>& statements, const std::vector<ListOfModules>& lists) {
  Time time{"", std::vector<std::optional<std::size_t>>(lists.size())};
  for (const std::string& statement : statements) {
    for (std::size_t i = 0; i < statement.size();) {
      bool found = false;
      for (std::size_t list = 0; list < lists.size() && !found; ++list) {
        std::size_t end = 0;
        if (statement.compare(i, lists[list].path.size(), lists[list].path) != 0) continue;
        const auto number = number_behind(statement, i + lists[list].path.size(), end);
        if (!number) continue;
        if (time.numbers[list] && time.numbers[list] != number) time.is_plain = false;
        time.numbers[list] = number;
        time.text += '\1' + std::to_string(list) + '\1';
        i = end;
        found = true;
      }
      if (!found) time.text += statement[i++];
    }
    time.text += '\n';
  }
  return time;
}

std::string slice_of(const ListOfModules& list, std::size_t first, std::size_t count, bool is_reversed) {
  if (is_reversed) return "reversed(" + list.path + ")";
  const std::string from = first == 0 ? "" : std::to_string(first);
  const std::string to = first + count == list.size ? "" : std::to_string(first + count);
  return list.path + (from.empty() && to.empty() ? "" : "[" + from + ":" + to + "]");
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + with.size()))
    text.replace(at, what.size(), with);
  return text;
}

// Words and what stands between them.
std::vector<std::string> tokens_of(const std::string& text) {
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; };
  std::vector<std::string> tokens;
  for (const char c : text) {
    if (!tokens.empty() && is_word(c) && is_word(tokens.back().back()))
      tokens.back() += c;
    else
      tokens.emplace_back(1, c);
  }
  return tokens;
}

// The first time reads `from` where the others read `to`, which they made the time before.
struct Start {
  std::string from;
  std::string to;
};

// None where the first time's statements are another's; both empty where they are the same.
std::optional<Start> start_of(const std::string& first, const std::string& later) {
  const std::vector<std::string> one = tokens_of(first), other = tokens_of(later);
  if (one.size() != other.size()) return std::nullopt;
  Start start;
  bool is_made = false;  // `to` has what the first time makes
  for (std::size_t i = 0; i < one.size(); ++i) {
    const bool ends_statement = one[i] == "\n";
    if (one[i] == other[i]) {
      if (!start.to.empty() && ends_statement && !is_made) {
        // Behind the statement that makes it, nothing may differ any more.
        std::size_t begin = i;
        while (begin > 0 && one[begin - 1] != "\n") --begin;
        is_made = one[begin] == start.to;
      }
      continue;
    }
    if (!is_python_name(one[i]) || !is_python_name(other[i]) || is_made) return std::nullopt;
    if (!start.to.empty() && (start.from != one[i] || start.to != other[i])) return std::nullopt;
    start = {one[i], other[i]};
  }
  if (start.to.empty()) return start;
  // What it held before must not be read.
  for (std::size_t i = 0; i < one.size(); ++i)
    if (one[i] == start.to) {
      const bool is_target =
          (i == 0 || one[i - 1] == "\n") && i + 2 < one.size() && one[i + 1] == " " && one[i + 2] == "=";
      return is_target ? std::optional(start) : std::nullopt;
    }
  return std::nullopt;
}

std::vector<std::string> in_a_row(const std::vector<std::vector<std::string>>& parts, std::size_t first = 0) {
  std::vector<std::string> result;
  for (std::size_t i = first; i < parts.size(); ++i) result.insert(result.end(), parts[i].begin(), parts[i].end());
  return result;
}

}  // namespace

std::vector<Repetition> repetitions_in(const ModuleTree& tree, const SourceModule& module,
                                       const std::vector<SourceItem>& items) {
  std::vector<Kind> kinds;
  for (const SourceItem& item : items) kinds.push_back(kind_of(tree, module, item));
  std::vector<Repetition> result;
  std::size_t done = 0;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (i < done || !kinds[i].number) continue;
    // The same with the next module of the list.
    std::size_t next = i + 1;
    while (next < kinds.size() && !are_alike(kinds[i], kinds[next], 1) && !are_alike(kinds[i], kinds[next], -1)) ++next;
    if (next == kinds.size()) continue;
    const std::int64_t step = *kinds[next].number - *kinds[i].number;
    const std::size_t period = next - i;
    Repetition best;
    // What comes before the list's module in each of the times begins them.
    for (std::size_t before = 0; before < period && before <= i - done; ++before)
      if (const std::size_t times = times_from(kinds, i - before, period, step); times > best.count)
        best = {i - before, period, times};
    if (best.count < 2) continue;
    result.push_back(best);
    done = best.end();
  }
  return result;
}

std::vector<ListOfModules> lists_in(const SourceModule& module) {
  std::vector<ListOfModules> result;
  const std::function<void(const SourceModule&)> add = [&](const SourceModule& part) {
    for (const auto& child : part.children) {
      if (child->is_leaf() || child->is_called) continue;
      if (is_list(*child))
        result.push_back({path_from(module, *child), singular_of(*child), child->children.size()});
      else
        add(*child);
    }
  };
  add(module);
  return result;
}

std::vector<std::string> as_loop(const std::vector<std::vector<std::string>>& parts,
                                 const std::vector<ListOfModules>& lists, const std::vector<std::string>& taken) {
  std::vector<Time> times;
  for (const auto& part : parts) times.push_back(read_time(part, lists));
  // Backwards through whole lists alone.
  std::size_t length = 0;
  bool is_reversed = false;
  for (std::size_t list = 0; list < lists.size(); ++list)
    if (const auto& number = times.back().numbers[list]; number && *number == 0 && times.size() == lists[list].size) {
      is_reversed = lists[list].size > 1;
      length = lists[list].size;
    }
  const auto is_next = [&](std::size_t time) {
    const Time& last = times[time - 1];
    const Time& own = times[time];
    if (!last.is_plain || !own.is_plain) return false;
    for (std::size_t list = 0; list < lists.size(); ++list) {
      if (last.numbers[list].has_value() != own.numbers[list].has_value()) return false;
      if (!own.numbers[list]) continue;
      const std::size_t wanted = is_reversed ? length - 1 - time : *last.numbers[list] + 1;
      if (*own.numbers[list] != wanted || (is_reversed && *last.numbers[list] != wanted + 1)) return false;
    }
    return true;
  };
  std::size_t begin = times.size() - 1;
  while (begin > 0 && is_next(begin) && times[begin - 1].text == times.back().text) --begin;
  std::optional<Start> start;
  if (begin == 1 && is_next(1)) start = start_of(times[0].text, times[1].text);
  if (start) begin = 0;
  const std::size_t count = times.size() - begin;
  std::vector<std::size_t> used;
  bool is_whole = true;
  for (std::size_t list = 0; list < lists.size(); ++list)
    if (times.back().numbers[list]) {
      used.push_back(list);
      is_whole = is_whole && count == lists[list].size;
    }
  if (used.empty() || count < 2 || ((count == 2 || is_reversed) && !is_whole)) return in_a_row(parts);

  std::vector<std::string> result;
  for (std::size_t i = 0; i < begin; ++i) result.insert(result.end(), parts[i].begin(), parts[i].end());
  if (start && !start->to.empty()) result.push_back(start->to + " = " + start->from);
  std::string body = times.back().text;
  std::vector<std::string> names, over;
  const std::vector<std::string> words = tokens_of(body);
  for (const std::size_t list : used) {
    std::string name = lists[list].one;
    const auto is_taken = [&](const std::string& wanted) {
      return std::ranges::find(taken, wanted) != taken.end() || std::ranges::find(names, wanted) != names.end() ||
             std::ranges::find(words, wanted) != words.end() || !is_python_name(wanted);
    };
    for (const char* other : {"layer", "block", "module", "part"})
      if (is_taken(name)) name = other;
    while (is_taken(name)) name += "_";
    names.push_back(name);
    over.push_back(slice_of(lists[list], *times[begin].numbers[list], count, is_reversed));
    body = replaced(body, '\1' + std::to_string(list) + '\1', name);
  }
  result.push_back("for " + joined(names) + " in " + (over.size() == 1 ? over[0] : "zip(" + joined(over) + ")") + ":");
  for (const std::string& line : lines_of(body)) result.push_back("    " + line);
  return result;
}

}  // namespace h5bridge::torch_source
