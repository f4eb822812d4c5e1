package price

import "fmt"

// Usage counts what one call used. It is inclusive: Input contains cached,
// cache-written, audio, image and video tokens; Output contains reasoning, citation,
// audio, image and video tokens; CacheWrite contains CacheWrite5m and CacheWrite1h;
// CacheRead and InputAudio both contain CacheAudioRead, CacheRead and InputImage both
// contain CacheImageRead. Every number is at least zero.
type Usage struct {
	Input, CacheRead, CacheWrite, CacheWrite5m, CacheWrite1h        int64
	InputAudio, CacheAudioRead, InputImage, CacheImageRead          int64
	InputVideo                                                      int64
	Output, OutputAudio, OutputImage, OutputVideo, Reasoning, Cited int64

	// Requests is the number of calls that this usage sums up; 0 means one.
	Requests int64
	// WebSearches is the number of searches that the provider ran.
	WebSearches int64
}

// Consistent returns u with every total raised so that it holds its parts, for
// emitters that report a part and leave out the whole. Negative numbers become zero.
func (u Usage) Consistent() Usage {
	for _, p := range []*int64{
		&u.Input, &u.CacheRead, &u.CacheWrite, &u.CacheWrite5m, &u.CacheWrite1h, &u.InputAudio, &u.CacheAudioRead,
		&u.InputImage, &u.CacheImageRead, &u.InputVideo, &u.Output, &u.OutputAudio, &u.OutputImage, &u.OutputVideo,
		&u.Reasoning, &u.Cited, &u.Requests, &u.WebSearches,
	} {
		*p = min(max(*p, 0), maxCount)
	}
	u.CacheWrite = max(u.CacheWrite, u.CacheWrite5m+u.CacheWrite1h)
	u.CacheRead = max(u.CacheRead, u.CacheAudioRead+u.CacheImageRead)
	u.InputAudio = max(u.InputAudio, u.CacheAudioRead)
	u.InputImage = max(u.InputImage, u.CacheImageRead)
	// Reads of audio and images are inside both sums, and count once.
	u.Input = max(u.Input, u.CacheRead+u.CacheWrite+u.InputAudio+u.InputImage+u.InputVideo-u.CacheAudioRead-u.CacheImageRead)
	u.Output = max(u.Output, u.OutputAudio+u.OutputImage+u.OutputVideo+u.Reasoning+u.Cited)
	return u
}

// maxCount bounds one number of a Usage, so that no sum of them can overflow.
const maxCount = 1 << 50

type unit uint8

const (
	uInput unit = iota
	uCacheRead
	uCacheWrite
	uCacheWrite5m
	uCacheWrite1h
	uInputAudio
	uCacheAudioRead
	uInputImage
	uCacheImageRead
	uInputVideo
	uOutput
	uOutputAudio
	uOutputImage
	uOutputVideo
	uReasoning
	uCited
	uRequests
	uWebSearches
	numUnits
)

// set is a set of units.
type set uint32

func (s set) has(u unit) bool { return s&(1<<u) != 0 }

func setOf(units ...unit) set {
	var s set
	for _, u := range units {
		s |= 1 << u
	}
	return s
}

// group says which service-tier factor applies to a unit.
type group uint8

const (
	groupInput group = iota
	groupCacheRead
	groupCacheWrite
	groupOutput
	groupNone
	numGroups = groupNone
)

// units describes each unit: its key in price tables, the name of its field in Usage,
// how many make up one priced amount, and the units that contain it.
var units = [numUnits]struct {
	key, field string
	per        float64
	within     set
	group      group
}{
	uInput:          {"input_mtok", "Input", 1e6, 0, groupInput},
	uCacheRead:      {"cache_read_mtok", "CacheRead", 1e6, setOf(uInput), groupCacheRead},
	uCacheWrite:     {"cache_write_mtok", "CacheWrite", 1e6, setOf(uInput), groupCacheWrite},
	uCacheWrite5m:   {"cache_write_5m_mtok", "CacheWrite5m", 1e6, setOf(uInput, uCacheWrite), groupCacheWrite},
	uCacheWrite1h:   {"cache_write_1h_mtok", "CacheWrite1h", 1e6, setOf(uInput, uCacheWrite), groupCacheWrite},
	uInputAudio:     {"input_audio_mtok", "InputAudio", 1e6, setOf(uInput), groupInput},
	uCacheAudioRead: {"cache_audio_read_mtok", "CacheAudioRead", 1e6, setOf(uInput, uCacheRead, uInputAudio), groupCacheRead},
	uInputImage:     {"input_image_mtok", "InputImage", 1e6, setOf(uInput), groupInput},
	uCacheImageRead: {"cache_image_read_mtok", "CacheImageRead", 1e6, setOf(uInput, uCacheRead, uInputImage), groupCacheRead},
	uInputVideo:     {"input_video_mtok", "InputVideo", 1e6, setOf(uInput), groupInput},
	uOutput:         {"output_mtok", "Output", 1e6, 0, groupOutput},
	uOutputAudio:    {"output_audio_mtok", "OutputAudio", 1e6, setOf(uOutput), groupOutput},
	uOutputImage:    {"output_image_mtok", "OutputImage", 1e6, setOf(uOutput), groupOutput},
	uOutputVideo:    {"output_video_mtok", "OutputVideo", 1e6, setOf(uOutput), groupOutput},
	uReasoning:      {"output_reasoning_mtok", "Reasoning", 1e6, setOf(uOutput), groupOutput},
	uCited:          {"output_citation_mtok", "Cited", 1e6, setOf(uOutput), groupOutput},
	uRequests:       {"requests_kcount", "Requests", 1e3, 0, groupNone},
	uWebSearches:    {"web_searches_kcount", "WebSearches", 1e3, 0, groupNone},
}

// specificFirst lists the units so that a unit comes after all that it contains.
var specificFirst = [numUnits]unit{
	uCacheAudioRead, uCacheImageRead, uCacheWrite5m, uCacheWrite1h,
	uCacheRead, uCacheWrite, uInputAudio, uInputImage, uInputVideo, uInput,
	uOutputAudio, uOutputImage, uOutputVideo, uReasoning, uCited, uOutput,
	uRequests, uWebSearches,
}

var unitByKey = func() map[string]unit {
	m := make(map[string]unit, numUnits)
	for u := range numUnits {
		m[units[u].key] = u
	}
	return m
}()

// counts returns the numbers of u by unit, or an error wrapping ErrUsage that names
// the field that is out of range.
func (u *Usage) counts() (c [numUnits]int64, err error) {
	c = [numUnits]int64{
		uInput: u.Input, uCacheRead: u.CacheRead, uCacheWrite: u.CacheWrite,
		uCacheWrite5m: u.CacheWrite5m, uCacheWrite1h: u.CacheWrite1h,
		uInputAudio: u.InputAudio, uCacheAudioRead: u.CacheAudioRead,
		uInputImage: u.InputImage, uCacheImageRead: u.CacheImageRead, uInputVideo: u.InputVideo,
		uOutput: u.Output, uOutputAudio: u.OutputAudio, uOutputImage: u.OutputImage, uOutputVideo: u.OutputVideo,
		uReasoning: u.Reasoning, uCited: u.Cited, uRequests: max(u.Requests, 0), uWebSearches: u.WebSearches,
	}
	for i, n := range c {
		if n < 0 || n > maxCount {
			return c, fmt.Errorf("%w: %s is %d, want 0 to %d", ErrUsage, units[i].field, n, int64(maxCount))
		}
	}
	if c[uRequests] == 0 {
		c[uRequests] = 1
	}
	return c, nil
}
