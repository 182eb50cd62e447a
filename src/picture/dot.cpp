#include "picture/dot.h"

#include <array>
#include <string_view>

namespace h5bridge {
namespace {

struct Look {
  const char* head;  // the colour behind a box's type
  const char* body;
};

// Dark enough for white letters.
Look look_of(Picture::Kind kind) {
  switch (kind) {
    case Picture::Kind::Input:
    case Picture::Kind::Output: return {"#4a5568", "#edf2f7"};
    case Picture::Kind::Weighted: return {"#2b5c9e", "#f3f7fc"};
    case Picture::Kind::Elementwise: return {"#8a3b3b", "#fcf5f5"};
    case Picture::Kind::Joining: return {"#6b4a8e", "#f8f5fb"};
    case Picture::Kind::Reshaping: return {"#3a6b4c", "#f4f9f6"};
  }
  return {};
}

// For Graphviz's labels of HTML's form, in which a backslash still begins one of its own abbreviations.
std::string escaped(std::string_view text) {
  std::string result;
  for (const char letter : text) switch (letter) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      case '\\': result += "\\\\"; break;
      default: result += letter;
    }
  return result;
}

std::string row_of(const std::string& content, const std::string& attributes = "") {
  return "<TR><TD" + attributes + ">" + content + "</TD></TR>";
}

std::string font(const std::string& attributes, const std::string& content) {
  return "<FONT " + attributes + ">" + content + "</FONT>";
}

std::string label_of(const Picture::Box& box) {
  const Look look = look_of(box.kind);
  std::string rows = row_of(font("COLOR=\"white\"", "<B>" + escaped(box.type) + "</B>"),
                            " BGCOLOR=\"" + std::string(look.head) + "\"");
  rows += row_of(escaped(box.name));
  if (!box.layer.empty()) rows += row_of(font("COLOR=\"#555555\"", "calls " + escaped(box.layer)));
  std::string details;
  const auto add = [&](const std::string& line) { details += escaped(line) + "<BR/>"; };
  for (const std::string& line : box.shape_lines()) add(line);
  if (box.parameters > 0) add(with_commas(box.parameters) + " parameters");
  if (!details.empty()) rows += row_of(font("POINT-SIZE=\"9\" COLOR=\"#333333\"", details));
  return "<TABLE BORDER=\"1\" COLOR=\"" + std::string(look.head) + "\" BGCOLOR=\"" + look.body +
         "\" CELLBORDER=\"0\" CELLSPACING=\"0\" CELLPADDING=\"3\">" + rows + "</TABLE>";
}

class DotText {
 public:
  explicit DotText(const Picture& picture) : picture_(picture), in_group_(picture.groups.size()) {
    for (std::size_t i = 0; i < picture.boxes.size(); ++i)
      if (const auto group = picture.boxes[i].group) in_group_[*group].push_back(i);
  }

  std::string written() {
    line("digraph {");
    line("  graph [fontname=\"Helvetica,Arial,sans-serif\", fontsize=18, ranksep=0.35, nodesep=0.3, bgcolor=white" +
         (picture_.name.empty() ? "" : ", labelloc=t, label=<<B>" + escaped(picture_.name) + "</B>>") + "];");
    line("  node [shape=plain, fontname=\"Helvetica,Arial,sans-serif\", fontsize=11];");
    line("  edge [fontname=\"Helvetica,Arial,sans-serif\", fontsize=9, color=\"#4a5568\", arrowsize=0.7];");
    for (std::size_t i = 0; i < picture_.groups.size(); ++i)
      if (!picture_.groups[i].parent) add_group(i);
    for (std::size_t i = 0; i < picture_.boxes.size(); ++i)
      if (!picture_.boxes[i].group) add_box(i);
    for (const Picture::Arrow& arrow : picture_.arrows)
      line("  n" + std::to_string(arrow.from) + " -> n" + std::to_string(arrow.to) +
           (arrow.label.empty() ? "" : " [label=<" + escaped(arrow.label) + ">]") + ";");
    line("}");
    return std::move(text_);
  }

 private:
  void line(const std::string& text) { text_ += text + "\n"; }

  void add_box(std::size_t number) {
    line("  n" + std::to_string(number) + " [label=<" + label_of(picture_.boxes[number]) + ">];");
  }

  void add_group(std::size_t number) {
    line("  subgraph cluster_" + std::to_string(number) + " {");
    line("  label=<" + escaped(picture_.groups[number].name) +
         ">; labeljust=l; style=\"rounded,filled\"; color=\"#cbd5e0\"; fillcolor=\"#00000008\"; fontcolor=\"#4a5568\"; "
         "fontsize=10;");
    for (std::size_t i = 0; i < picture_.groups.size(); ++i)
      if (picture_.groups[i].parent == number) add_group(i);
    for (const std::size_t box : in_group_[number]) add_box(box);
    line("  }");
  }

  const Picture& picture_;
  std::vector<std::vector<std::size_t>> in_group_;  // boxes by group
  std::string text_;
};

}  // namespace

std::string to_dot(const Picture& picture) { return DotText(picture).written(); }

}  // namespace h5bridge
