-- @description seq2drum: drums for the selected guitar item
-- @version 0.2.0
-- @author seq2drum contributors
-- @license MIT
-- @about
--   # seq2drum, a drummer for your guitar
--
--   Select a MIDI item of a guitar and run this action. A track with drums appears under it: in the same bars, at the
--   same tempo, aligned to the tick. Run it again for another take.
--
--   It needs the program seq2drum, which does the playing on your own computer. The guide says how to get it.
-- @provides [main=main,midi_editor] .
-- @changelog The first version.

-- Runs in stock REAPER 7 (Lua 5.4); needs no extension. In the order of this file: bytes (MIDI files, JSON), the
-- project's time, the guitar's notes, the options, the program that plays, the drums' item, and the run of it all.
--
-- Time: REAPER counts seconds, a MIDI file counts ticks, and music counts quarters. Here "quarters" are always counted
-- through from the project's start (`TimeMap_timeToQN_abs`). REAPER's other quarters leap where a bar is cut short.
-- Ticks are those of the exported file: 960 a quarter, tick 0 being the barline at or before the passage.

local S = {}

S.TICKS = 960
S.SECTION = "seq2drum" -- of the values that REAPER stores between runs
S.TRACK_NAME = "Drums (seq2drum)"
S.SILENT_SECONDS = 30 -- without a new status until a program counts as dead
S.WAITING_SECONDS = 75 -- the same while the program waits for a server to start or for a free drummer
S.CANCEL_SECONDS = 5 -- for a cancelled program to report its end
S.SIXTEENTH = 0.25 -- in quarters
S.MOST_NOTES = 50000

-- The messages to the user. docs/reaper.md explains each.
S.MESSAGES = {
  nothing = "Nothing is selected. Click the guitar's MIDI item, then run seq2drum again.",
  audio = "The selected item is audio. seq2drum reads MIDI: select a MIDI item.",
  tracks = "The selected items are on several tracks. Select the items of one guitar.",
  own = "The selected item is the drums'. Select the guitar's.",
  no_notes = "There are no notes in the selection. Muted notes and notes on channel 10 do not count.",
  no_groove = "No drums are selected for the groove. Select the guitar's item and, with Ctrl, an item of drums.",
  too_many = "The selection has too many notes. Select a shorter piece of the song.",
  no_client = "seq2drum was not found on this computer. Install it first; the guide says how.",
  not_started = "seq2drum could not be started. Run this action again and show it where seq2drum-client is.",
  busy = "seq2drum is at work already. Wait until its window closes, or press Esc in it.",
  cancelled = "Cancelled. Nothing was changed.",
  silent = "seq2drum has fallen silent and was given up. Nothing was changed; try again.",
  failed = "seq2drum failed and did not say why. Nothing was changed; try again.",
  damaged = "What came back is no drum file. Nothing was changed; try again.",
  gone = "The guitar's track is gone. Nothing was changed.",
  no_room = "There is no room for the count-in before the item. Move the song later, or ask for fewer bars.",
  no_folder = "No folder for temporary files could be made.",
}

-- The names of General MIDI's drums, for the keys of the piano roll.
S.DRUM_NAMES = {
  [35] = "Kick 2", [36] = "Kick", [37] = "Side stick", [38] = "Snare", [39] = "Clap", [40] = "Snare 2",
  [41] = "Low floor tom", [42] = "Closed hat", [43] = "High floor tom", [44] = "Pedal hat", [45] = "Low tom",
  [46] = "Open hat", [47] = "Low mid tom", [48] = "High mid tom", [49] = "Crash", [50] = "High tom", [51] = "Ride",
  [52] = "China", [53] = "Ride bell", [54] = "Tambourine", [55] = "Splash", [56] = "Cowbell", [57] = "Crash 2",
  [58] = "Vibraslap", [59] = "Ride 2", [60] = "High bongo", [61] = "Low bongo", [62] = "Mute conga",
  [63] = "High conga", [64] = "Low conga", [65] = "High timbale", [66] = "Low timbale", [67] = "High agogo",
  [68] = "Low agogo", [69] = "Cabasa", [70] = "Maracas", [71] = "Short whistle", [72] = "Long whistle",
  [73] = "Short guiro", [74] = "Long guiro", [75] = "Claves", [76] = "High wood block", [77] = "Low wood block",
  [78] = "Mute cuica", [79] = "Open cuica", [80] = "Mute triangle", [81] = "Open triangle",
}

local function round(value) return math.floor(value + 0.5) end

-- Errors for the user are tables; an error that is a string is a mistake in this file.
local function refuse(message) error({ told = message }, 0) end

------------------------------------------------------------------------------------------------------------- MIDI files

-- A number in MIDI's variable-length form: seven bits a byte, all but the last with the high bit set.
local function variable_length(value)
  local bytes = string.char(value & 0x7F)
  value = value >> 7
  while value > 0 do
    bytes = string.char(0x80 | value & 0x7F) .. bytes
    value = value >> 7
  end
  return bytes
end

-- A track chunk of events {tick, rank, bytes}, ending at tick `stop`. At one tick the lower rank comes first.
local function track_chunk(events, stop)
  for place, event in ipairs(events) do event.place = place end
  table.sort(events, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    if a[2] ~= b[2] then return a[2] < b[2] end
    return a.place < b.place
  end)
  local pieces, now = {}, 0
  for _, event in ipairs(events) do
    pieces[#pieces + 1] = variable_length(event[1] - now) .. event[3]
    now = event[1]
  end
  -- Many programs end a track a tick late, so readers ignore a last delta of 1. This one counts: write it in two bytes.
  local rest = stop - now
  pieces[#pieces + 1] = (rest == 1 and "\x80\x01" or variable_length(rest)) .. "\xFF\x2F\x00"
  local body = table.concat(pieces)
  return "MTrk" .. string.pack(">I4", #body) .. body
end

-- A Standard MIDI File of format 1: a track with the maps, and the guitar.
-- song: length, tempos {tick, microseconds}, metres {tick, numerator, denominator},
-- notes {tick, length, pitch, velocity}, markers {tick, text} if there are any; all times in ticks.
-- are_drums: whether the notes are drums instead of a guitar.
function S.write_smf(song, are_drums)
  local maps, guitar = {}, {}
  for _, metre in ipairs(song.metres) do
    local power = 0
    while 1 << power < metre[3] do power = power + 1 end
    maps[#maps + 1] = { metre[1], 1, "\xFF\x58\x04" .. string.char(metre[2], power, 24, 8) }
  end
  for _, marker in ipairs(song.markers or {}) do
    maps[#maps + 1] = { marker[1], 3, "\xFF\x06" .. variable_length(#marker[2]) .. marker[2] }
  end
  for _, tempo in ipairs(song.tempos) do
    maps[#maps + 1] = { tempo[1], 2, "\xFF\x51" .. string.pack(">s1", string.pack(">I3", tempo[2])) }
  end
  guitar[1] = { 0, 0, "\xFF\x03" .. string.pack(">s1", are_drums and "Drums" or "Guitar") }
  if not are_drums then guitar[2] = { 0, 1, "\xC0\x1B" } end -- program 27: electric guitar (clean)
  local last, channel = 0, are_drums and 9 or 0
  for _, note in ipairs(song.notes) do
    local stop = note[1] + note[2]
    guitar[#guitar + 1] = { stop, 2, string.char(0x80 | channel, note[3], 0) }
    guitar[#guitar + 1] = { note[1], 3, string.char(0x90 | channel, note[3], note[4]) }
    last = math.max(last, stop)
  end
  return "MThd" .. string.pack(">I4I2I2I2", 6, 1, 2, S.TICKS) .. track_chunk(maps, song.length) .. track_chunk(guitar, last)
end

-- Return the notes of a track chunk, {tick, length, pitch, velocity}, and the track's name.
local function read_track(bytes, at, stop, notes)
  local tick, running, sounding, name = 0, nil, {}, ""
  local function number()
    local value, byte = 0, nil
    repeat
      byte = bytes:byte(at)
      value, at = value << 7 | byte & 0x7F, at + 1
    until byte < 0x80
    return value
  end
  while at < stop do
    tick = tick + number()
    local status = bytes:byte(at)
    if status >= 0x80 then at = at + 1 else status = running end
    if status == 0xFF or status == 0xF0 or status == 0xF7 then
      local kind = status == 0xFF and bytes:byte(at)
      if status == 0xFF then at = at + 1 end
      local size = number()
      if kind == 0x03 then name = bytes:sub(at, at + size - 1) end
      at = at + size
    else
      running = status
      local kind, first = status & 0xF0, bytes:byte(at)
      local second = (kind == 0xC0 or kind == 0xD0) and 0 or bytes:byte(at + 1)
      at = at + ((kind == 0xC0 or kind == 0xD0) and 1 or 2)
      if kind == 0x90 and second > 0 then
        local waiting = sounding[first] or {}
        waiting[#waiting + 1] = { tick, second }
        sounding[first] = waiting
      elseif (kind == 0x80 or kind == 0x90) and sounding[first] and #sounding[first] > 0 then
        local begun = table.remove(sounding[first], 1)
        notes[#notes + 1] = { begun[1], tick - begun[1], first, begun[2] }
      end
    end
  end
  return name
end

-- Return the sorted notes of a MIDI file that we wrote, {tick, length, pitch, velocity}; an error for any other file.
-- Return the tracks with notes, too, {name, notes}.
function S.read_smf(bytes)
  local magic, size, _, tracks, ticks = string.unpack(">c4I4I2I2I2", bytes)
  assert(magic == "MThd" and ticks == S.TICKS)
  local notes, named, at = {}, {}, 9 + size
  for _ = 1, tracks do
    local kind, length = string.unpack(">c4I4", bytes, at)
    assert(kind == "MTrk" and at + 7 + length <= #bytes)
    local own = {}
    local name = read_track(bytes, at + 8, at + 8 + length, own)
    table.move(own, 1, #own, #notes + 1, notes)
    if #own > 0 then named[#named + 1] = { name = name, notes = own } end
    at = at + 8 + length
  end
  table.sort(notes, function(a, b)
    if a[1] ~= b[1] then return a[1] < b[1] end
    return a[3] < b[3]
  end)
  return notes, named
end

------------------------------------------------------------------------------------------------------------------- JSON

local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t" }
local read_value -- values hold values

local function read_string(text, at)
  local pieces = {}
  at = at + 1
  while true do
    local plain = text:match('^[^"\\]*', at)
    pieces[#pieces + 1] = plain
    at = at + #plain
    if text:sub(at, at) == '"' then return table.concat(pieces), at + 1 end
    local sign = text:sub(at + 1, at + 1)
    at = at + 2
    if sign == "u" then
      local code = tonumber(text:sub(at, at + 3), 16)
      at = at + 4
      local low = text:match("^\\u([dD][c-fC-F]%x%x)", at)
      if code >= 0xD800 and code < 0xDC00 and low then -- characters beyond 16 bits are surrogate pairs
        code = 0x10000 + (code - 0xD800 << 10) + tonumber(low, 16) - 0xDC00
        at = at + 6
      end
      pieces[#pieces + 1] = utf8.char(code)
    else
      assert(sign ~= "", "the text ends within a string")
      pieces[#pieces + 1] = ESCAPES[sign] or sign
    end
  end
end

local function read_members(text, at, close, add)
  at = text:match("^%s*()", at + 1)
  if text:sub(at, at) == close then return at + 1 end
  while true do
    at = text:match("^%s*()", add(at))
    local sign = text:sub(at, at)
    if sign == close then return at + 1 end
    assert(sign == ",", "a comma is missing")
    at = text:match("^%s*()", at + 1)
  end
end

function read_value(text, at)
  at = text:match("^%s*()", at)
  local sign = text:sub(at, at)
  if sign == '"' then return read_string(text, at) end
  local found = {}
  if sign == "{" then
    return found, read_members(text, at, "}", function(here)
      local key, after = read_string(text, here)
      found[key], after = read_value(text, text:match("^%s*:()", after))
      return after
    end)
  elseif sign == "[" then
    return found, read_members(text, at, "]", function(here)
      local value, after = read_value(text, here)
      found[#found + 1] = value
      return after
    end)
  end
  local word, after = text:match("^([%w%.%+%-]+)()", at)
  local named = { ["true"] = true, ["false"] = false }
  if word == "null" then return nil, after end
  if named[word] ~= nil then return named[word], after end
  return assert(tonumber(word), "no value"), after
end

-- Return the table of a JSON object, or nil for anything else.
function S.read_json(text)
  local good, value = pcall(read_value, text, 1)
  return good and type(value) == "table" and value or nil
end

----------------------------------------------------------------------------------------------------- the project's time

local function quarter_at(proj, time) return reaper.TimeMap_timeToQN_abs(proj, time) end
local function time_at(proj, quarter) return reaper.TimeMap_QNToTime_abs(proj, quarter) end

-- Return a measure by its number: its first and last quarter, and its metre.
local function measure(proj, number)
  local time, _, _, numerator, denominator = reaper.TimeMap_GetMeasureInfo(proj, number)
  local following = reaper.TimeMap_GetMeasureInfo(proj, number + 1)
  return { number = number, first = quarter_at(proj, time), last = quarter_at(proj, following),
    numerator = numerator, denominator = denominator }
end

-- Return the measure of a position. Within half a tick of a barline counts as on it.
local function measure_at(proj, quarter)
  local near = quarter + 0.5 / S.TICKS
  local _, number = reaper.TimeMap2_timeToBeats(proj, time_at(proj, near))
  local found = measure(proj, number)
  while found.first > near and found.number > 0 do found = measure(proj, found.number - 1) end
  while found.last <= near do found = measure(proj, found.number + 1) end
  return found
end

-- Return the metres from a measure to the end: one at each change, and one after each bar that is shorter or longer
-- than its metre. A reader begins a bar at each, so that the file's bars are the project's.
local function metre_map(proj, first, last_quarter)
  local metres, bar, irregular = {}, first, true
  local before = bar
  while bar.first < last_quarter - 0.5 / S.TICKS or #metres == 0 do
    if irregular or bar.numerator ~= before.numerator or bar.denominator ~= before.denominator then
      metres[#metres + 1] = { round((bar.first - first.first) * S.TICKS), bar.numerator, bar.denominator }
    end
    irregular = math.abs(bar.last - bar.first - 4 * bar.numerator / bar.denominator) > 0.5 / S.TICKS
    before, bar = bar, measure(proj, bar.number + 1)
  end
  return metres
end

-- Return where the tempo may change between two quarters: at tempo markers, and at each 16th of a gradual change.
local function tempo_places(proj, first, last)
  local places = { first }
  local count = reaper.CountTempoTimeSigMarkers(proj)
  for index = 0, count - 1 do
    local _, time, _, _, _, _, _, gradual = reaper.GetTempoTimeSigMarker(proj, index)
    local begin, stop = quarter_at(proj, time), last
    if index + 1 < count then
      local _, following = reaper.GetTempoTimeSigMarker(proj, index + 1)
      stop = quarter_at(proj, following)
    else
      gradual = false -- nothing follows the last marker
    end
    local step = gradual and S.SIXTEENTH or math.huge
    local place = begin
    while place < math.min(stop, last) do
      if place > first then places[#places + 1] = place end
      place = place + step
    end
  end
  table.sort(places)
  return places
end

-- Return the tempos from quarter `first` to `last`, {tick, microseconds}, each measured by REAPER's own clock,
-- so that neither the note value of REAPER's beats nor the shape of a gradual change matters.
local function tempo_map(proj, first, last)
  local places, tempos = tempo_places(proj, first, last), {}
  for index, place in ipairs(places) do
    local following = places[index + 1] or last
    local tick = round((place - first) * S.TICKS)
    if following - place > 1e-9 then
      local seconds = time_at(proj, following) - time_at(proj, place)
      local microseconds = math.max(1, math.min(0xFFFFFF, round(seconds * 1e6 / (following - place))))
      local before = tempos[#tempos]
      if before and before[1] == tick then
        before[2] = microseconds
      elseif not before or before[2] ~= microseconds then
        tempos[#tempos + 1] = { tick, microseconds }
      end
    end
  end
  return tempos
end

-- Return the names of the project's regions between two quarters, {tick, name}, with the one at the first quarter;
-- of its markers, if it has no regions.
local function markers(proj, first, last)
  local found, region = {}, false
  for index = 0, reaper.CountProjectMarkers(proj) - 1 do
    local _, is_region, position, stop, name = reaper.EnumProjectMarkers3(proj, index)
    if is_region and not region then found, region = {}, true end
    local quarter, over = quarter_at(proj, position), is_region and quarter_at(proj, stop) <= first
    if name ~= "" and is_region == region and quarter < last and not over then
      local tick = round((quarter - first) * S.TICKS)
      if tick < 0 then found[1], tick = nil, 0 end -- of several earlier ones the last counts
      if #found > 0 and found[#found][1] == tick then found[#found] = nil end
      found[#found + 1] = { tick, name }
    end
  end
  return found
end

-- Return the project's bars from the barline at or before quarter `first` up to quarter `last`, as
-- markers, origin (quarter of tick 0), length (ticks), tempos, metres.
function S.timeline(proj, first, last)
  local bar = measure_at(proj, first)
  return {
    origin = bar.first,
    length = math.max(1, round((last - bar.first) * S.TICKS)),
    tempos = tempo_map(proj, bar.first, last),
    metres = metre_map(proj, bar, last),
    markers = markers(proj, bar.first, last),
  }
end

----------------------------------------------------------------------------------------------------- the guitar's notes

local function item_span(item)
  local position = reaper.GetMediaItemInfo_Value(item, "D_POSITION")
  return position, position + reaper.GetMediaItemInfo_Value(item, "D_LENGTH")
end

-- Return how an item loops its source: the source's first quarter and its length in quarters; nil if it does not.
local function loop_of(proj, item, take)
  if reaper.GetMediaItemInfo_Value(item, "B_LOOPSRC") == 0 then return nil end
  local length, in_quarters = reaper.GetMediaSourceLength(reaper.GetMediaItemTake_Source(take))
  local begin = reaper.MIDI_GetProjTimeFromPPQPos(take, 0)
  local span = length / reaper.GetMediaItemTakeInfo_Value(take, "D_PLAYRATE")
  local first = quarter_at(proj, begin)
  -- A source with its own time base has a length in seconds.
  if not in_quarters then span = quarter_at(proj, begin + span) - first end
  if span * S.TICKS < 1 then return nil end
  return first, span
end

-- Add the notes of an item between two quarters to `found` as {quarter, end quarter, pitch, velocity}: those on the
-- drum channel, or all others. REAPER computes the position of each note, with take offset, play rate and tempo.
local function read_item(proj, item, low, high, found, are_drums)
  local take = reaper.GetActiveTake(item)
  local position, stop = item_span(item)
  low, high = math.max(low, quarter_at(proj, position)), math.min(high, quarter_at(proj, stop))
  local begin, span = loop_of(proj, item, take)
  local near = 0.5 / S.TICKS
  local _, count = reaper.MIDI_CountEvts(take)
  for index = 0, count - 1 do
    local _, _, muted, first, last, channel, pitch, velocity = reaper.MIDI_GetNote(take, index)
    first = quarter_at(proj, reaper.MIDI_GetProjTimeFromPPQPos(take, first))
    last = quarter_at(proj, reaper.MIDI_GetProjTimeFromPPQPos(take, last))
    local from, to = 0, 0 -- the visible repeats of the source
    if begin then
      from, to = math.floor((low - begin) / span), math.ceil((high - begin) / span)
      last = math.min(last, begin + span) -- a repeat ends the notes before it
      if first >= begin + span - near then muted = true end
    end
    if not muted and (channel == 9) == (are_drums or false) then
      for again = from, to do
        local shift = begin and again * span or 0
        local onset = first + shift
        if onset >= low - near and onset < high - near then
          found[#found + 1] = { math.max(onset, low), math.min(last + shift, high), pitch, velocity }
          if #found > S.MOST_NOTES then refuse(S.MESSAGES.too_many) end
        end
      end
    end
  end
end

local function is_midi(item)
  local take = reaper.GetActiveTake(item)
  return take ~= nil and reaper.TakeIsMIDI(take)
end

local function is_own(item)
  local _, mark = reaper.GetSetMediaItemInfo_String(item, "P_EXT:seq2drum", "", false)
  return mark ~= ""
end

-- Return whether all notes of an item, one or more, are on the drum channel.
local function has_drums(item)
  local take = reaper.GetActiveTake(item)
  local _, count = reaper.MIDI_CountEvts(take)
  for index = 0, count - 1 do
    local _, _, _, _, _, channel = reaper.MIDI_GetNote(take, index)
    if channel ~= 9 then return false end
  end
  return count > 0
end

local function selected_items(proj)
  local items = {}
  for index = 0, reaper.CountSelectedMediaItems(proj) - 1 do
    items[#items + 1] = reaper.GetSelectedMediaItem(proj, index)
  end
  return items
end

-- Return the MIDI items of the selected track that the time selection touches, and the selection in seconds.
local function items_in_time_selection(proj)
  local from, to = reaper.GetSet_LoopTimeRange2(proj, false, false, 0, 0, false)
  local track = reaper.GetSelectedTrack(proj, 0)
  local items = {}
  if to > from and track then
    for index = 0, reaper.CountTrackMediaItems(track) - 1 do
      local item = reaper.GetTrackMediaItem(track, index)
      local position, stop = item_span(item)
      if position < to and stop > from then items[#items + 1] = item end
    end
  end
  return items, from, to
end

-- Return the passage: track, first and last quarter. Selected items of one track are one passage, from the first
-- one's start to the last one's end; without any, the time selection over the selected track is the passage.
-- drums: the selected items of drums, which can be the groove.
function S.passage(proj)
  local items, from, to = selected_items(proj), math.huge, -math.huge
  local by_time = #items == 0
  if by_time then items, from, to = items_in_time_selection(proj) end
  if #items == 0 then refuse(S.MESSAGES.nothing) end
  local track, midi, own, drums = nil, {}, 0, {}
  for _, item in ipairs(items) do
    if is_own(item) then own = own + 1 end
    if is_midi(item) and (is_own(item) or has_drums(item)) then
      drums[#drums + 1] = item
    elseif is_midi(item) then
      local here = reaper.GetMediaItemTrack(item)
      if track and track ~= here then refuse(S.MESSAGES.tracks) end
      track, midi[#midi + 1] = here, item
      if not by_time then
        local position, stop = item_span(item)
        from, to = math.min(from, position), math.max(to, stop)
      end
    end
  end
  if #midi == 0 then
    refuse(own > 0 and S.MESSAGES.own or #drums > 0 and S.MESSAGES.no_notes or S.MESSAGES.audio)
  end
  return { proj = proj, track = track, items = midi, drums = drums, first = quarter_at(proj, from), last = quarter_at(proj, to) }
end

-- Return notes between two quarters as a song: bars, tempos, and the notes.
local function song_of(proj, found, begin, stop)
  local song = S.timeline(proj, begin, stop)
  song.notes = {}
  for index, note in ipairs(found) do
    local onset = math.min(math.max(0, round((note[1] - song.origin) * S.TICKS)), song.length - 1)
    local last = math.min(round((note[2] - song.origin) * S.TICKS), song.length)
    song.notes[index] = { onset, math.max(1, last - onset), note[3], note[4] }
  end
  return song
end

-- Return the passage as a song. Adds `origin` to the passage.
function S.export(passage)
  local found = {}
  for _, item in ipairs(passage.items) do read_item(passage.proj, item, passage.first, passage.last, found) end
  if #found == 0 then refuse(S.MESSAGES.no_notes) end
  local song = song_of(passage.proj, found, passage.first, passage.last)
  passage.origin = song.origin
  return song
end

-- Return the selected drums as a song.
function S.export_groove(passage)
  local found, low, high = {}, math.huge, -math.huge
  for _, item in ipairs(passage.drums) do
    local position, stop = item_span(item)
    local first, last = quarter_at(passage.proj, position), quarter_at(passage.proj, stop)
    read_item(passage.proj, item, first, last, found, true)
    low, high = math.min(low, first), math.max(high, last)
  end
  if #found == 0 then refuse(S.MESSAGES.no_groove) end
  return song_of(passage.proj, found, low, high)
end

------------------------------------------------------------------------------------------------------------ the options

-- The options, made by python proto/options.py
S.CONTROLS = {
  { key = "style", caption = "Style (auto or jazz shuffle latin ...)", default = "auto", words = {
    "auto", "jazz", "shuffle", "latin", "metal", "dance", "reggae", "funk", "pop", "rock",
  } },
  { key = "intensity", caption = "Intensity (0 to 1 or chorus=0.9; empty: as it fits)", level = true, places = true },
  { key = "complexity", caption = "Complexity (0 to 1 or chorus=0.9; empty: as it fits)", level = true, places = true },
  { key = "out", caption = "No drums in (chorus or 9-16; empty: nowhere)", title = true },
  { key = "enter", caption = "Drums enter in bar (empty: with you or as arranged)", whole = { 1, 9999 } },
  { key = "half-time", caption = "Half time (chorus or 9-16; empty: nowhere)", title = true },
  { key = "groove", caption = "Groove (a name or file or selected; empty: one that fits)", title = true },
  { key = "daring", caption = "Daring (0 to 1; empty: the safest groove)", level = true },
  { key = "fills", caption = "Fills (0 to 1 or chorus=0.9; empty: as it fits)", level = true, places = true },
  { key = "ending", caption = "Ending (auto or ring choke ritard none)", default = "auto", words = { "auto", "ring", "choke", "ritard", "none" } },
  { key = "swing", caption = "Swing (0 to 1; empty: as it fits)", level = true },
  { key = "seed", caption = "Seed (empty: a new one each time)", whole = { 0, 4294967295 } },
  { key = "takes", caption = "Takes (1 to 8 or 3 lanes)", default = "1", whole = { 1, 8 }, behind = "lanes" },
  { key = "drum-map", caption = "Drum map (empty: gm; ? for all)", default = "gm", words = {
    "gm", "abbey-road-60s", "addictive-drums-2", "alesis-nitro", "avl-drumkits", "bfd3", "ezdrummer-2",
    "ezdrummer-3", "ggd-invasion", "ggd-modern-massive", "ggd-p4-halpern", "logic-drum-kit-designer",
    "mt-power-drumkit-2", "roland-td", "ssd5", "studio-drummer", "superior-drummer-3", "yamaha-dtx502",
    "yamaha-dtxplorer", "gs-analog", "gs-brush", "gs-electronic", "gs-orchestra", "xg-brush", "xg-electronic",
    "xg-orchestra", "xg-standard",
  } },
  { key = "count-in", caption = "Bars counted in before the item (0 to 8)", default = "0", whole = { 0, 8 } },
  { key = "split", caption = "A track for each piece (no or yes)", default = "no", words = { "no", "yes" } },
}
-- end

local function contains(list, value)
  for _, found in ipairs(list) do
    if found == value then return true end
  end
  return false
end

-- Return an answer for the command line, or nil and the error. An empty one leaves it to the drummer.
local function checked(control, answer)
  local text = answer:match("^%s*(.-)%s*$"):lower()
  if control.behind then text = text:gsub("%s*" .. control.behind .. "$", "") end
  if text == "" then text = control.default or "" end
  if text == "" then return "" end
  local name = control.caption:match("^[%w ]-%f[%(%d]"):match("^(.-)%s*$")
  local number = tonumber((text:gsub(",", "."))) -- much of the world writes 0,5
  if control.places and text:find("=") then
    if text:match("^[%w%._,= %-]+$") then return text end
    return nil, name .. ": " .. answer .. " is no list such as chorus=0.9,9-16=0.2."
  elseif control.level and not (number and number >= 0 and number <= 1) then
    return nil, name .. ": " .. answer .. " is no number from 0 to 1."
  elseif control.whole then
    local low, high = table.unpack(control.whole)
    if not (number and number == math.floor(number) and number >= low and number <= high) then
      return nil, ("%s: %s is no whole number from %d to %d."):format(name, answer, low, high)
    end
    return ("%d"):format(number)
  elseif control.words and not contains(control.words, text) then
    local there = table.concat(control.words, ", ")
    if text == "?" then return nil, name .. ": there are " .. there .. "." end
    return nil, ("There is no %s %s. There are: %s."):format(name:lower(), answer, there)
  elseif not text:match(control.title and "^[%w%._,=/&' %-]+$" or "^[%w%._,%-]+$") then
    return nil, name .. ": " .. answer .. " is no name."
  end
  return control.level and tostring(number) or text
end

-- Return the answers by key, from a list in the order of `CONTROLS`; or nil and a message. A word that may stand behind
-- a number is a key, too: whether it did.
function S.check_controls(answers)
  local wanted = {}
  for index, control in ipairs(S.CONTROLS) do
    local value, wrong = checked(control, answers[index] or "")
    if not value then return nil, wrong end
    wanted[control.key] = value
    if control.behind then
      wanted[control.behind] = (answers[index] or ""):lower():match(control.behind .. "%s*$") ~= nil
    end
  end
  return wanted
end

local function remembered(key) return reaper.GetExtState(S.SECTION, key) end
local function remember(key, value) reaper.SetExtState(S.SECTION, key, value, true) end

local function tell(message) reaper.ShowMessageBox(message, "seq2drum", 0) end

-- Ask until the answers are valid; return nil if the user cancels.
local function ask_controls()
  local captions, answers = {}, {}
  for index, control in ipairs(S.CONTROLS) do
    captions[index] = control.caption
    local known = reaper.HasExtState(S.SECTION, control.key)
    answers[index] = known and remembered(control.key) or control.default or ""
  end
  while true do
    local good, given = reaper.GetUserInputs("seq2drum: drums for this guitar", #S.CONTROLS,
      table.concat(captions, ",") .. ",extrawidth=100,separator=\n", table.concat(answers, "\n"))
    if not good then return nil end
    answers = {}
    for answer in (given .. "\n"):gmatch("([^\n]*)\n") do answers[#answers + 1] = answer end
    local wanted, wrong = S.check_controls(answers)
    if wanted then
      for index, control in ipairs(S.CONTROLS) do remember(control.key, answers[index] or "") end
      if wanted.seed == "" then wanted.seed = ("%d"):format(math.random(0, 999999)) end
      return wanted
    end
    tell(wrong)
  end
end

------------------------------------------------------------------------------------------------- the program that plays

local function on_windows() return reaper.GetOS():find("Win") ~= nil end
local function join(folder, name) return folder .. (on_windows() and "\\" or "/") .. name end

local function read_file(path)
  local file = io.open(path, "rb")
  if not file then return nil end
  local bytes = file:read("a")
  file:close()
  return bytes
end

local function write_file(path, bytes)
  local file = io.open(path, "wb")
  local good = file and file:write(bytes)
  if file then file:close() end
  return good
end

-- Return where pip may have installed a program. Programs started from a desktop often lack the PATH of a
-- terminal, so the usual places come after it.
local function usual_folders()
  local folders = {}
  for folder in (os.getenv("PATH") or ""):gmatch(on_windows() and "[^;]+" or "[^:]+") do
    folders[#folders + 1] = folder
  end
  local home = os.getenv("HOME")
  if on_windows() then
    for _, root in ipairs({ os.getenv("LOCALAPPDATA"), os.getenv("APPDATA") }) do
      for _, version in ipairs({ "313", "312", "311" }) do
        folders[#folders + 1] = root .. "\\Programs\\Python\\Python" .. version .. "\\Scripts"
        folders[#folders + 1] = root .. "\\Python\\Python" .. version .. "\\Scripts"
      end
    end
    home = os.getenv("USERPROFILE")
    if home then folders[#folders + 1] = home .. "\\.local\\bin" end
  else
    if home then folders[#folders + 1] = home .. "/.local/bin" end
    for _, folder in ipairs({ "/opt/homebrew/bin", "/usr/local/bin" }) do folders[#folders + 1] = folder end
    for _, version in ipairs({ "3.13", "3.12", "3.11" }) do
      folders[#folders + 1] = "/Library/Frameworks/Python.framework/Versions/" .. version .. "/bin"
      if home then folders[#folders + 1] = home .. "/Library/Python/" .. version .. "/bin" end
    end
  end
  return folders
end

-- Return the path of seq2drum-client, or of a Python that has it: the stored one, one in the usual places, or one that
-- the user chooses; nil if there is none.
local function find_client()
  local known = remembered("client")
  if known ~= "" and reaper.file_exists(known) then return known end
  local name = on_windows() and "seq2drum-client.exe" or "seq2drum-client"
  for _, folder in ipairs(usual_folders()) do
    if reaper.file_exists(join(folder, name)) then return join(folder, name) end
  end
  tell(S.MESSAGES.no_client .. "\nIf it is installed, show me the file " .. name .. " now.")
  local good, shown = reaper.GetUserFileNameForRead("", "Where is " .. name .. "?", on_windows() and "exe" or "")
  if good and shown ~= "" and reaper.file_exists(shown) then
    remember("client", shown)
    return shown
  end
  return nil
end

-- Return the command line, every word in quotes: folders have spaces in their names.
function S.command(client, wanted, files)
  local words = { client }
  local name = client:match("[^/\\]+$"):lower()
  if name:match("^python") or name:match("^py%.exe$") then
    words[2], words[3] = "-m", "client"
  end
  local function add(...)
    for _, word in ipairs({ ... }) do words[#words + 1] = word end
  end
  add(files.song, "-o", files.drums, "--start-server", "--status-file", files.status, "--cancel-file", files.cancel)
  for _, control in ipairs(S.CONTROLS) do
    local value = wanted[control.key]
    local plain = control.key == "takes" and value == "1" or control.key == "count-in" and value == "0"
    if control.key == "split" then
      if value == "yes" then add("--split") end
    elseif value ~= "" and not plain then add("--" .. control.key, value) end
  end
  for index, word in ipairs(words) do words[index] = '"' .. word .. '"' end
  return table.concat(words, " ")
end

-- Return a new folder among the system's temporary files, and the names of the files in it.
local function temporary_folder()
  local root = os.getenv("TMPDIR") or os.getenv("TEMP") or os.getenv("TMP") or "/tmp"
  local folder = join((root:gsub("[/\\]+$", "")), "seq2drum-" .. reaper.genGuid(""):gsub("[{}]", ""))
  reaper.RecursiveCreateDirectory(folder, 0)
  local files = { folder = folder }
  local names = { song = "guitar.mid", groove = "groove.mid", drums = "drums.mid", status = "status.json", cancel = "cancel" }
  for key, name in pairs(names) do files[key] = join(folder, name) end
  return files
end

local function remove_folder(folder)
  local names = {}
  reaper.EnumerateFiles(folder, -1) -- clear REAPER's cached listing
  repeat
    names[#names + 1] = reaper.EnumerateFiles(folder, #names)
  until not reaper.EnumerateFiles(folder, #names)
  for _, name in ipairs(names) do os.remove(join(folder, name)) end
  if not os.remove(folder) and on_windows() then
    reaper.ExecProcess('cmd.exe /Q /C rmdir "' .. folder .. '"', -2) -- Lua cannot remove folders there
  end
end

-- Remove what an earlier run left, because it ended while the program still wrote.
local function remove_leftovers()
  local folder = remembered("leftover")
  if folder:find("seq2drum-", 1, true) then remove_folder(folder) end
  reaper.DeleteExtState(S.SECTION, "leftover", true)
end

-------------------------------------------------------------------------------------------------------- the drums' item

-- Set a take's start offset so that its source begins at a time; return whether it worked. The unit
-- and the tempo of the offset of MIDI are undocumented in REAPER: so they are measured (the secant method).
local function put_source_at(take, time)
  local function off() return reaper.MIDI_GetProjTimeFromPPQPos(take, 0) - time end
  local function set(value) reaper.SetMediaItemTakeInfo_Value(take, "D_STARTOFFS", value) end
  local before = reaper.GetMediaItemTakeInfo_Value(take, "D_STARTOFFS")
  local miss = off()
  local offset = before + miss * reaper.GetMediaItemTakeInfo_Value(take, "D_PLAYRATE")
  for _ = 1, 12 do
    if math.abs(miss) < 1e-8 then return true end
    set(offset)
    local now = off()
    if now == miss then return false end
    before, offset, miss = offset, offset - now * (offset - before) / (now - miss), now
  end
  return math.abs(miss) < 1e-6
end

-- Move an item's left edge; its notes stay in place. If REAPER refuses, nothing changes.
local function set_left_edge(item, left)
  local position, stop = item_span(item)
  if left == position then return true end
  local kept, good = {}, true
  for index = 0, reaper.CountTakes(item) - 1 do
    local take = reaper.GetTake(item, index)
    if take and reaper.TakeIsMIDI(take) then
      local offset = reaper.GetMediaItemTakeInfo_Value(take, "D_STARTOFFS")
      kept[#kept + 1] = { take, offset, reaper.MIDI_GetProjTimeFromPPQPos(take, 0) }
    end
  end
  reaper.SetMediaItemInfo_Value(item, "D_POSITION", left)
  reaper.SetMediaItemInfo_Value(item, "D_LENGTH", stop - left)
  for _, entry in ipairs(kept) do good = put_source_at(entry[1], entry[3]) and good end
  if not good then
    reaper.SetMediaItemInfo_Value(item, "D_POSITION", position)
    reaper.SetMediaItemInfo_Value(item, "D_LENGTH", stop - position)
    for _, entry in ipairs(kept) do reaper.SetMediaItemTakeInfo_Value(entry[1], "D_STARTOFFS", entry[2]) end
  end
  return good
end

-- Make an item with one take of drums. Its source begins at the barline, so that ticks of the file are ticks of the
-- take; then its left edge is moved into place. Earlier notes are kept: drag the edge back to hear them.
local function make_item(passage, track, take, left)
  local proj, origin = passage.proj, passage.origin
  local item = reaper.CreateNewMIDIItemInProj(track, time_at(proj, origin), time_at(proj, passage.last), false)
  local midi = reaper.GetActiveTake(item)
  local function place(tick)
    return round(reaper.MIDI_GetPPQPosFromProjTime(midi, time_at(proj, origin + tick / S.TICKS)))
  end
  for _, note in ipairs(take.notes) do
    local first, last = place(note[1]), place(note[1] + note[2])
    reaper.MIDI_InsertNote(midi, false, false, first, math.max(last, first + 1), 9, note[3], note[4], true)
  end
  for _, sign in ipairs(take.signs or {}) do -- text events: how the sections are built
    reaper.MIDI_InsertTextSysexEvt(midi, false, false, place(sign[1]), 1, sign[2])
  end
  reaper.MIDI_Sort(midi)
  reaper.GetSetMediaItemTakeInfo_String(midi, "P_NAME", take.name, true)
  reaper.SetMediaItemInfo_Value(item, "B_LOOPSRC", 0)
  reaper.GetSetMediaItemInfo_String(item, "P_EXT:seq2drum", "drums", true)
  set_left_edge(item, time_at(proj, left))
  return item
end

-- Return the lines of the only take from the text of an item.
function S.take_lines(chunk)
  local wanted = { NAME = true, SOFFS = true, PLAYRATE = true, CHANMODE = true, GUID = true }
  local lines, depth, inside = {}, 0, false
  for line in chunk:gmatch("[^\r\n]+") do
    local word = line:match("^%s*(%S+)")
    if word == "<SOURCE" and depth == 1 then inside = true end
    if inside or (depth == 1 and wanted[word]) then lines[#lines + 1] = line end
    if line:match("^%s*<") then
      depth = depth + 1
    elseif word == ">" then
      depth = depth - 1
      if depth == 1 then inside = false end
    end
  end
  return table.concat(lines, "\n")
end

-- Move the take of `other` to `item`, by the text in which REAPER stores items: an empty take made by a script
-- accepts no notes. Return whether it worked.
local function adopt_take(item, other)
  local same = math.abs(item_span(item) - item_span(other)) < 1e-6
  local good, chunk = reaper.GetItemStateChunk(item, "", false)
  local found, theirs = reaper.GetItemStateChunk(other, "", false)
  if not (same and good and found) then return false end
  local joined = chunk:gsub("%s*>%s*$", "\nTAKE\n") .. S.take_lines(theirs) .. "\n>\n"
  local count = reaper.CountTakes(item)
  return reaper.SetItemStateChunk(item, joined, false) and reaper.CountTakes(item) == count + 1
end

-- Return the track's own items in the passage: the one at the same place, if there is one, and the others.
local function earlier_items(passage, track)
  local found, others = nil, {}
  for index = 0, reaper.CountTrackMediaItems(track) - 1 do
    local item = reaper.GetTrackMediaItem(track, index)
    if is_own(item) and is_midi(item) then
      local position, stop = item_span(item)
      local first, last = quarter_at(passage.proj, position), quarter_at(passage.proj, stop)
      local near = 1 / S.TICKS
      if math.abs(last - passage.last) < near and first < passage.first + near
        and (first > passage.first - S.SIXTEENTH or math.abs(first - passage.origin) < near) then
        found = item
      elseif math.min(last, passage.last) - math.max(first, passage.first) > S.SIXTEENTH then
        others[#others + 1] = item
      end
    end
  end
  return found, others
end

-- Return the length of a count-in in quarters: bars of the song's first metre, which begins at a barline.
function S.lead(song, bars)
  local _, numerator, denominator = table.unpack(song.metres[1])
  return bars * 4 * numerator / denominator
end

-- Return the tick of a bar, counted from 1, of a song with these metres, {tick, numerator, denominator}. The bar before
-- a metre may be shorter than its own.
function S.bar_tick(metres, bar)
  for index, metre in ipairs(metres) do
    local length, following = 4 * S.TICKS * metre[2] / metre[3], metres[index + 1]
    local count = following and math.max(1, math.ceil((following[1] - metre[1] - 1) / length)) or math.huge
    if bar <= count then return round(metre[1] + (bar - 1) * length) end
    bar = bar - count
  end
end

-- Return the start of the drums' item: the guitar's, a hit less than a 16th before it, or the count-in's.
function S.left_edge(passage, takes)
  if (passage.lead or 0) > 0 then return passage.origin end
  local left = passage.first
  for _, take in ipairs(takes) do
    for _, note in ipairs(take.notes) do
      local quarter = passage.origin + note[1] / S.TICKS
      if quarter > passage.first - S.SIXTEENTH and quarter < left - 1e-6 then left = quarter end
    end
  end
  return left
end

-- Put takes, the best first, into the passage: as new takes of the item there, or as a new item.
local function place_takes(passage, track, takes)
  local item, others = earlier_items(passage, track)
  local left, made = S.left_edge(passage, takes), {}
  if item then left = math.min(left, quarter_at(passage.proj, (item_span(item)))) end
  for index, take in ipairs(takes) do made[index] = make_item(passage, track, take, left) end
  if item then
    set_left_edge(item, (item_span(made[1])))
  else
    item = table.remove(made, 1)
  end
  local best = reaper.CountTakes(item) - (#made == #takes and 0 or 1)
  for _, other in ipairs(made) do
    if adopt_take(item, other) then
      reaper.DeleteTrackMediaItem(track, other)
    else
      reaper.SetMediaItemInfo_Value(other, "B_MUTE", 1) -- it stays a separate item
    end
  end
  local take = reaper.GetTake(item, best)
  if take then reaper.SetActiveTake(take) end
  -- Mute overlapping items of an earlier selection: two drummers at once are too many.
  for _, other in ipairs(others) do reaper.SetMediaItemInfo_Value(other, "B_MUTE", 1) end
  reaper.UpdateItemInProject(item)
end

-- Put takes, the best first, on fixed item lanes of the track (REAPER 7), an item each, under all that is in the passage.
-- The best one's lane plays alone, unless drums of another passage would fall silent: then the best one is on their lane
-- if the passage is free there. Return whether there are lanes.
local function place_on_lanes(passage, track, takes)
  local proj, left = passage.proj, S.left_edge(passage, takes)
  if reaper.GetMediaTrackInfo_Value(track, "I_FREEMODE") ~= 2 then
    reaper.SetMediaTrackInfo_Value(track, "I_FREEMODE", 2)
    if reaper.GetMediaTrackInfo_Value(track, "I_FREEMODE") ~= 2 then return false end
  end
  local lane, elsewhere = 0, -1
  for index = 0, reaper.CountTrackMediaItems(track) - 1 do
    local item = reaper.GetTrackMediaItem(track, index)
    local position, stop = item_span(item)
    local common = math.min(quarter_at(proj, stop), passage.last) - math.max(quarter_at(proj, position), left)
    local plays = reaper.GetMediaItemInfo_Value(item, "C_LANEPLAYS") > 0 and reaper.GetMediaItemInfo_Value(item, "B_MUTE") == 0
    if common > S.SIXTEENTH then
      lane = math.max(lane, round(reaper.GetMediaItemInfo_Value(item, "I_FIXEDLANE")) + 1)
    elseif plays then
      elsewhere = math.max(elsewhere, round(reaper.GetMediaItemInfo_Value(item, "I_FIXEDLANE")))
    end
  end
  lane = math.max(lane, elsewhere)
  local count = math.max(reaper.GetMediaTrackInfo_Value(track, "I_NUMFIXEDLANES"), lane + #takes)
  reaper.SetMediaTrackInfo_Value(track, "I_NUMFIXEDLANES", count) -- without it a saved project has one lane more
  for index, take in ipairs(takes) do
    local item, here = make_item(passage, track, take, left), lane + index - 1
    reaper.SetMediaItemInfo_Value(item, "I_FIXEDLANE", here)
    if elsewhere >= 0 and here > elsewhere then reaper.SetMediaTrackInfo_Value(track, "C_LANEPLAYS:" .. here, 0) end
    reaper.UpdateItemInProject(item)
  end
  if elsewhere < 0 then reaper.SetMediaTrackInfo_Value(track, "C_LANEPLAYS:" .. lane, 1) end
  reaper.UpdateTimeline()
  return true
end

-- Return the index after a track and, if it is a folder, after the tracks in it.
local function index_behind(proj, track)
  local index = round(reaper.GetMediaTrackInfo_Value(track, "IP_TRACKNUMBER"))
  local depth = round(reaper.GetMediaTrackInfo_Value(track, "I_FOLDERDEPTH"))
  while depth > 0 and index < reaper.CountTracks(proj) do
    depth = depth + round(reaper.GetMediaTrackInfo_Value(reaper.GetTrack(proj, index), "I_FOLDERDEPTH"))
    index = index + 1
  end
  return index
end

-- Return the drum track of a guitar track: the one made before, or a new one under it. piece: of the kit, or "".
local function drum_track(proj, guitar, piece)
  local id = reaper.GetTrackGUID(guitar) .. (piece == "" and "" or ":" .. piece)
  local behind = index_behind(proj, guitar)
  for index = 0, reaper.CountTracks(proj) - 1 do
    local track = reaper.GetTrack(proj, index)
    local _, mark = reaper.GetSetMediaTrackInfo_String(track, "P_EXT:seq2drum", "", false)
    if mark == id then return track end
  end
  reaper.InsertTrackAtIndex(behind, false)
  local track = reaper.GetTrack(proj, behind)
  local name = piece == "" and S.TRACK_NAME or piece .. " (seq2drum)"
  reaper.GetSetMediaTrackInfo_String(track, "P_NAME", name, true)
  reaper.GetSetMediaTrackInfo_String(track, "P_EXT:seq2drum", id, true)
  return track
end

local function name_notes(proj, track)
  for pitch, name in pairs(S.DRUM_NAMES) do reaper.SetTrackMIDINoteNameEx(proj, track, pitch, 9, name) end
end

-- Save selection and cursor; return a function that restores them.
local function keep_view(proj)
  local items, tracks = selected_items(proj), {}
  for index = 0, reaper.CountSelectedTracks(proj) - 1 do tracks[#tracks + 1] = reaper.GetSelectedTrack(proj, index) end
  local cursor = reaper.GetCursorPositionEx(proj)
  return function()
    reaper.SelectAllMediaItems(proj, false)
    for _, item in ipairs(items) do reaper.SetMediaItemSelected(item, true) end
    for index = 0, reaper.CountTracks(proj) - 1 do
      local track = reaper.GetTrack(proj, index)
      reaper.SetTrackSelected(track, contains(tracks, track))
    end
    reaper.SetEditCurPos2(proj, cursor, false, false)
  end
end

-- Return the takes of each track to be made, {piece, takes}: one for all drums, or one for each piece in the takes.
local function by_piece(takes, split)
  if not split then return { { piece = "", takes = takes } } end
  local found, places = {}, {}
  for index, take in ipairs(takes) do
    for _, track in ipairs(take.tracks) do
      if not places[track.name] then
        found[#found + 1] = { piece = track.name, takes = {} }
        places[track.name] = found[#found]
        for other, its in ipairs(takes) do
          found[#found].takes[other] = { notes = {}, name = its.name, signs = #found == 1 and its.signs or nil }
        end
      end
      places[track.name].takes[index].notes = track.notes
    end
  end
  return found
end

-- Insert the takes, {notes, name, tracks, signs}, in one undo step. split: a track for each piece. lanes: a fixed item
-- lane for each take, as on a track that has lanes, and not takes of one item.
function S.insert(passage, takes, general_midi, split, lanes)
  local proj = passage.proj
  local restore = keep_view(proj)
  reaper.PreventUIRefresh(1)
  reaper.Undo_BeginBlock2(proj)
  local good, wrong = pcall(function()
    local tracks = by_piece(takes, split)
    for index = #tracks, 1, -1 do -- each new track comes right after the guitar's, so insert the first one last
      local track = drum_track(proj, passage.track, tracks[index].piece)
      if general_midi then name_notes(proj, track) end
      local on_lanes = lanes or reaper.GetMediaTrackInfo_Value(track, "I_FREEMODE") == 2
      if not (on_lanes and place_on_lanes(passage, track, tracks[index].takes)) then
        place_takes(passage, track, tracks[index].takes)
      end
    end
    restore()
  end)
  reaper.Undo_EndBlock2(proj, "seq2drum: drums for the guitar", -1)
  reaper.PreventUIRefresh(-1)
  reaper.TrackList_AdjustWindows(false)
  reaper.UpdateArrange()
  if not good then error(wrong, 0) end
end

---------------------------------------------------------------------------------------------------- the progress window

local WIDTH, HEIGHT = 340, 84

local function open_window()
  if gfx then gfx.init("seq2drum", WIDTH, HEIGHT) end
end

local function close_window()
  if gfx then gfx.quit() end
end

-- Return whether the user wants to stop: Esc, or the window was closed.
local function stop_wanted()
  if not gfx then return false end
  local key = gfx.getchar()
  return key == 27 or key == -1
end

local WORDS = { none = "Waking the drummer", starting = "Waking the drummer", sending = "Listening", waiting = "Waiting for a free drummer" }

-- Return the window's text for a status, and the progress, 0 to 1.
function S.progress(status)
  local done, total = status.bars_done or 0, status.bars_total or 0
  if status.state == "playing" and total > 0 then
    return ("Bar %d of %d"):format(done, total), math.min(1, done / total)
  end
  return WORDS[status.state] or "Playing", 0
end

local function draw(text, share)
  if not gfx then return end
  gfx.set(0.13, 0.13, 0.13)
  gfx.rect(0, 0, gfx.w, gfx.h)
  gfx.set(0.3, 0.3, 0.3)
  gfx.rect(16, 38, gfx.w - 32, 12)
  gfx.set(0.9, 0.6, 0.2)
  gfx.rect(16, 38, (gfx.w - 32) * share, 12)
  gfx.set(0.9, 0.9, 0.9)
  gfx.x, gfx.y = 16, 14
  gfx.drawstr(text)
  gfx.x, gfx.y = 16, 60
  gfx.drawstr("Esc cancels")
  gfx.update()
end

---------------------------------------------------------------------------------------------------------------- the run

-- End a run: its window, its mark, and its files, unless the program may still use them: then
-- the next run removes them.
local function finish(run, message, leave_files)
  if run.finished then return end
  run.finished = true
  close_window()
  reaper.DeleteExtState(S.SECTION, "running", false)
  if not leave_files then
    remove_folder(run.files.folder)
    reaper.DeleteExtState(S.SECTION, "leftover", true)
  end
  if message then tell(message) end
end

-- If REAPER ends the script during a run: ask the program to stop; the next run removes its files.
local function abandon(run)
  if run.finished then return end
  run.finished = true
  write_file(run.files.cancel, "")
  close_window()
  reaper.DeleteExtState(S.SECTION, "running", false)
end

-- Return the takes that came back; nil if one of them is not a MIDI file of ours.
local function read_takes(run, status)
  local takes = {}
  for index, path in ipairs(status.outputs or {}) do
    local bytes = read_file(path)
    local good, notes, tracks = pcall(S.read_smf, bytes)
    if not good then return nil end
    local seed = (status.seeds or {})[index]
    local name = seed and ("Drums, seed %s"):format(tostring(seed)) or "Drums"
    local groove = (status.grooves or {})[index] or ""
    if groove ~= "" then name = name .. ", " .. groove end
    local signs = {}
    for at, change in ipairs((status.plans or {})[index] or {}) do
      signs[at] = { S.bar_tick(run.metres, change[1]) + round(run.passage.lead * S.TICKS), change[2] }
    end
    takes[index] = { notes = notes, name = name, tracks = tracks, signs = signs }
  end
  return #takes > 0 and takes or nil
end

local function complete(run, status)
  local passage = run.passage
  local takes = read_takes(run, status)
  if not takes then return finish(run, S.MESSAGES.damaged) end
  if not (reaper.ValidatePtr(passage.proj, "ReaProject*") and reaper.ValidatePtr2(passage.proj, passage.track, "MediaTrack*")) then
    return finish(run, S.MESSAGES.gone)
  end
  finish(run)
  S.insert(passage, takes, run.wanted["drum-map"] == "gm", run.wanted.split == "yes", run.wanted.lanes)
end

-- Read the status file, if it is new. It is replaced atomically: unreadable content is no status.
local function poll(run, now)
  if now < run.next_poll then return end
  run.next_poll = now + 0.1
  local text = read_file(run.files.status)
  if text and text ~= run.text then
    local status = S.read_json(text)
    run.text = text
    if status and status.state then
      run.status, run.heard = status, now
    end
  end
end

local function patience(state)
  return (state == "starting" or state == "waiting") and S.WAITING_SECONDS or S.SILENT_SECONDS
end

-- Return the program's error in one line, without the name of the exported file, which means nothing to the user.
function S.failure(status, files)
  local message = tostring(status.message or ""):gsub("%s+", " ")
  local at, stop = message:find(files.song .. ": ", 1, true)
  if at then message = message:sub(1, at - 1) .. message:sub(stop + 1) end
  return message ~= "" and message:sub(1, 500) or S.MESSAGES.failed
end

-- One step of the run; REAPER calls it about thirty times a second until the run is finished.
local function tick(run)
  local now = reaper.time_precise()
  reaper.SetExtState(S.SECTION, "running", tostring(now), false)
  poll(run, now)
  local state = run.status.state
  -- "failed" without an exit code is about one song: the program still writes to its folder.
  local ended = (state == "failed" or state == "done") and run.status.code ~= nil
  if run.cancelled then
    if ended or now > run.cancelled + S.CANCEL_SECONDS then return finish(run, S.MESSAGES.cancelled, not ended) end
  elseif ended and state == "done" then
    return complete(run, run.status)
  elseif ended then
    return finish(run, S.failure(run.status, run.files))
  elseif now > run.heard + patience(state) then
    write_file(run.files.cancel, "")
    return finish(run, S.MESSAGES.silent, true)
  elseif stop_wanted() then
    run.cancelled = now
    write_file(run.files.cancel, "")
  end
  draw(table.unpack(run.cancelled and { "Stopping", 0 } or { S.progress(run.status) }))
  reaper.defer(function() S.guard(run, tick) end)
end

-- Call a function. Show an error for the user; a mistake in this file ends the run before REAPER shows it.
function S.guard(run, call)
  local good, wrong = xpcall(call, function(wrong)
    return type(wrong) == "table" and wrong or { mistake = debug.traceback(tostring(wrong)) }
  end, run)
  if good then return end
  if run.files then finish(run) end
  if wrong.told then return tell(wrong.told) end
  error(wrong.mistake, 0)
end

-- Put the file of a groove in place of the words "file" and "selected"; return whether there is one.
local function find_groove(run)
  local asked = run.wanted.groove
  if asked == "file" then
    local good, path = reaper.GetUserFileNameForRead("", "Which file has the groove?", "mid")
    if not good or path == "" then return false end
    run.wanted.groove = path
  elseif asked == "selected" then
    run.groove = S.write_smf(S.export_groove(run.passage), true)
  end
  return true
end

local function is_running()
  local stamp = tonumber(reaper.GetExtState(S.SECTION, "running"))
  return stamp ~= nil and math.abs(reaper.time_precise() - stamp) < 3
end

local function start(run)
  if is_running() then refuse(S.MESSAGES.busy) end
  remove_leftovers()
  local proj = reaper.EnumProjects(-1)
  run.passage = S.passage(proj)
  local song = S.export(run.passage)
  local client = find_client()
  if not client then return end
  run.wanted = ask_controls()
  if not (run.wanted and find_groove(run)) then return end
  run.metres = song.metres
  run.passage.lead = S.lead(song, tonumber(run.wanted["count-in"]) or 0) -- the takes' tick 0 is earlier by the count-in
  run.passage.origin = run.passage.origin - run.passage.lead
  if run.passage.origin < -1e-9 then refuse(S.MESSAGES.no_room) end
  local files = temporary_folder()
  if not write_file(files.song, S.write_smf(song)) then refuse(S.MESSAGES.no_folder) end
  run.files = files
  if run.groove and write_file(files.groove, run.groove) then run.wanted.groove = files.groove end
  remember("leftover", files.folder)
  if not reaper.ExecProcess(S.command(client, run.wanted, files), -2) then
    reaper.DeleteExtState(S.SECTION, "client", true) -- ask again next time
    refuse(S.MESSAGES.not_started)
  end
  run.heard, run.next_poll, run.status = reaper.time_precise(), 0, { state = "none" }
  reaper.atexit(function() abandon(run) end)
  open_window()
  tick(run)
end

function S.main()
  math.randomseed(os.time(), round(reaper.time_precise() * 1000))
  S.guard({}, start)
end

if not SEQ2DRUM_AS_LIBRARY then S.main() end
return S
