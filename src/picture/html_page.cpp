#include "picture/html_page.h"

#include <map>
#include <string_view>

#include "h5bridge/error.h"
#include "model/one_line.h"
#include "picture/page_parts.h"
#include "picture/picture.h"
#include "picture/tensor_statistics.h"

namespace h5bridge {
namespace {

Json lists_of(const std::vector<std::pair<std::string, std::string>>& pairs) {
  Json::Array list;
  for (const auto& [name, value] : pairs) list.push_back(Json::Array{name, value});
  return list;
}

Json box_to_json(const Picture::Box& box) {
  Json::Array tensors;
  for (const Picture::WeightTensor& tensor : box.tensors)
    tensors.push_back(
        Json::Object{{"name", tensor.name}, {"shape", tensor.shape}, {"dtype", tensor.dtype}, {"word", tensor.word}});
  return Json::Object{{"name", box.name},
                      {"type", box.type},
                      {"layer", box.layer},
                      {"kind", name_of(box.kind)},
                      {"group", box.group ? Json(*box.group) : Json()},
                      {"shapes", Json::array(box.shape_lines())},
                      {"torch", Json::array(box.torch_shapes)},
                      {"keras", Json::array(box.keras_shapes)},
                      {"parameters", box.parameters},
                      {"settings", lists_of(box.settings)},
                      {"tensors", std::move(tensors)}};
}

Json statistics_by_name(const Picture& picture, const Weights& weights) {
  std::map<std::string, const Tensor*> known;
  for (const auto& [name, tensor] : weights) known.emplace(shown_name(name), &tensor);
  Json::Object result;
  for (const Picture::Box& box : picture.boxes)
    for (const Picture::WeightTensor& wanted : box.tensors) {
      const auto found = known.find(wanted.name);
      if (found == known.end() || result.contains(wanted.name)) continue;
      try {
        result.set(wanted.name, to_json(statistics_of(*found->second)));
      } catch (const Unsupported&) {  // elements that are no numbers have no histogram
      }
    }
  return result;
}

struct Totals {
  std::int64_t layers = 0;
  std::int64_t parameters = 0;
  std::int64_t frozen = 0;
};

Totals totals_of(const Picture& picture) {
  Totals totals;
  for (const Picture::Box& box : picture.boxes) {
    totals.layers += box.kind != Picture::Kind::Input && box.kind != Picture::Kind::Output;
    totals.parameters += box.parameters;
    totals.frozen += box.frozen_parameters;
  }
  return totals;
}

Json page_model(const Model& model) {
  const Picture picture = picture_of(model);
  const Totals totals = totals_of(picture);
  const std::string layers = with_commas(totals.layers) + " layers";
  const std::string parameters = with_commas(totals.parameters) + " parameters";
  std::vector<std::pair<std::string, std::string>> facts{
      {"format", model.format},
      {"from", model.framework == Framework::Keras ? "Keras" : "PyTorch"},
      {"layers", with_commas(totals.layers)},
      {"parameters", with_commas(totals.parameters)},
      {"trainable", with_commas(totals.parameters - totals.frozen)}};
  Json::Array boxes, arrows, groups, notes;
  for (const Picture::Box& box : picture.boxes) boxes.push_back(box_to_json(box));
  for (const Picture::Arrow& arrow : picture.arrows)
    arrows.push_back(Json::Object{{"from", arrow.from}, {"to", arrow.to}, {"label", arrow.label}});
  for (const Picture::Group& group : picture.groups)
    groups.push_back(Json::Object{{"name", group.name}, {"parent", group.parent ? Json(*group.parent) : Json()}});
  for (const std::string& note : model.notes) notes.push_back(one_line(note));
  return Json::Object{{"name", picture.name},        {"summary", layers + ", " + parameters},
                      {"facts", lists_of(facts)},    {"notes", std::move(notes)},
                      {"boxes", std::move(boxes)},   {"arrows", std::move(arrows)},
                      {"groups", std::move(groups)}, {"statistics", statistics_by_name(picture, model.weights)}};
}

// Nothing in it ends the element that it stands in, or begins another.
std::string within_script(const Json& json) {
  std::string result;
  for (const char letter : json.dump()) {
    if (letter == '<')
      result += "\\u003c";
    else
      result += letter;
  }
  return result;
}

}  // namespace

void write_html(const Model& model, std::ostream& out) {
  const std::map<std::string_view, std::string> parts{
      {"STYLE", kPageStyle}, {"MODEL", within_script(page_model(model))}, {"SCRIPT", kPageScript}};
  for (std::string_view rest = kPageText; !rest.empty();) {
    const std::size_t begin = rest.find('@');
    out << rest.substr(0, begin);
    if (begin == std::string_view::npos) return;
    const std::size_t end = rest.find('@', begin + 1);
    out << parts.at(rest.substr(begin + 1, end - begin - 1));
    rest.remove_prefix(end + 1);
  }
}

}  // namespace h5bridge
