package dialogid_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/altinn/dialogsync/pkg/dialogid"
)

func ExampleV7() {
	instance := uuid.MustParse("6f3da581-76f9-412c-ba01-44e375b5bc79")
	created := time.Date(2025, 6, 18, 8, 54, 53, 623376900, time.UTC)
	dialog := dialogid.V7(instance, created)
	button, _ := dialogid.Sub(dialog, "DialogGuiActionGoTo")
	fmt.Println(dialog)
	fmt.Println(button)
	// Output:
	// 0197823f-91b7-712c-ba01-44e375b5bc79
	// 0197823f-91b7-720e-9e13-6007162cafdc
}

func TestV7(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ guid, at, want string }{
		{"6f3da581-76f9-412c-ba01-44e375b5bc79", "2025-06-18T08:54:53.6233769Z", "0197823f-91b7-712c-ba01-44e375b5bc79"},
		{"f0000000-0000-0000-ffff-ffffffffffff", "2024-02-29T23:59:59.9999999+01:00", "018df718-957f-7000-bfff-ffffffffffff"},
		{"e40b03b2-3108-470d-92fb-7d06ae4ab10a", "1000-01-01T01:01:01Z", "e42900b0-b0c8-770d-92fb-7d06ae4ab10a"},
		{"019bd57e-ce5e-74ed-8130-3a1ac8af3d91", "2000-01-01T01:01:01Z", "00dc6b07-88c8-74ed-8130-3a1ac8af3d91"},
		{"00000000-0000-0000-0000-000000000000", "1969-12-31T23:59:59.9999Z", "ffffffff-ffff-7000-8000-000000000000"},
	} {
		at, err := time.Parse(time.RFC3339Nano, c.at)
		require.NoError(t, err)
		assert.Equal(t, c.want, dialogid.V7(uuid.MustParse(c.guid), at).String())
	}
}

func TestSub(t *testing.T) {
	t.Parallel()
	dialog := uuid.MustParse("0197823f-91b7-712c-ba01-44e375b5bc79")
	for name, want := range map[string]string{
		"DialogGuiActionGoTo":   "0197823f-91b7-720e-9e13-6007162cafdc",
		"DialogGuiActionDelete": "0197823f-91b7-73ff-912e-aeb3915ce007",
		"DialogGuiActionCopy":   "0197823f-91b7-704f-a867-374c641e5a0f",
		"DialogApiActionRead":   "0197823f-91b7-7bc8-9898-986f54884262",
	} {
		id, err := dialogid.Sub(dialog, name)
		require.NoError(t, err)
		assert.Equal(t, want, id.String())
	}
	_, err := dialogid.Sub(uuid.Nil, "x")
	require.ErrorIs(t, err, dialogid.ErrNilParent)
	_, err = dialogid.Sub(dialog, "")
	require.ErrorIs(t, err, dialogid.ErrEmptyName)
}

func TestProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var guid uuid.UUID
		copy(guid[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "guid"))
		at := time.UnixMicro(rapid.Int64Range(0, 253402300799999999).Draw(t, "at"))
		id := dialogid.V7(guid, at)
		require.True(t, dialogid.IsV7(id))
		require.Equal(t, at.UTC().Truncate(time.Millisecond), dialogid.Time(id))
		require.Equal(t, id, dialogid.V7(id, at), "stamping again changes nothing")

		sub, err := dialogid.Sub(id, rapid.StringN(1, 40, -1).Draw(t, "name"))
		require.NoError(t, err)
		require.True(t, dialogid.IsV7(sub))
		require.Equal(t, dialogid.Time(id), dialogid.Time(sub))
	})
}

func TestIsV7(t *testing.T) {
	t.Parallel()
	assert.False(t, dialogid.IsV7(uuid.Nil))
	assert.False(t, dialogid.IsV7(uuid.MustParse("0197823f-91b7-412c-ba01-44e375b5bc79")))
	assert.False(t, dialogid.IsV7(uuid.MustParse("0197823f-91b7-712c-ca01-44e375b5bc79")))
}
