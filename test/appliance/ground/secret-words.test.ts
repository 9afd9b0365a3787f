/** What looks like a secret, by its key and in a text. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { holdsSecret, isSecretKey, MASK, maskText } from '@appliance/ground/secret-words'

describe('a key that looks like a secret', () => {
  it('is one of the words, with or without hyphens, in any case, in any place', () => {
    const keys = [
      ...['password', 'ipmi_password', 'auth_passwd', 'passphrase', 'ssh-pass-phrase', 'sys_pswd', 'adminPass'],
      ...['image_pull_secret', 'image_request_authorization_secret', 'agent_token', 'api_key', 'apikey', 'x-api-key'],
      ...['privateKey', 'ssh_private_key', 'access_key', 'encryption_key', 'ipmi_hex_kg_key', 'credential'],
      ...['credentials', 'auth', 'docker_auth', 'Authorization', 'cookie', 'set-cookie', 'rootpwd', 'snmp_community'],
      ...['configdrive', 'config_drive', 'image_url'],
    ]

    assert.deepEqual(
      keys.filter((key) => !isSecretKey(key)),
      [],
    )
  })

  it('is each name that Ironic masks, with a digit behind it, and within a longer name', () => {
    // oslo.utils 10.2 strutils._SANITIZE_KEYS, and what driver_info and instance_info of Ironic's drivers hold.
    const names =
      `adminpass admin_pass password admin_password auth_token new_pass auth_password secret_uuid secret sys_pswd
      token configdrive chappassword encrypted_key private_key fernetkey sslkey passphrase cephclusterfsid
      octaviaheartbeatkey rabbitcookie cephmanilaclientkey pacemakerremoteauthkey designaterndckey cephadminkey
      heatauthencryptionkey cephclientkey keystonecredential barbicansimplecryptokek cephrgwkey swifthashsuffix
      migrationsshkey cephmdskey cephmonkey chapsecret
      ipmi_password ipmi_hex_kg_key redfish_password ilo_password drac_password irmc_password irmc_snmp_auth_password
      irmc_snmp_priv_password snmp_community snmp_community_read snmp_community_write snmp_auth_key snmp_priv_key
      agent_secret_token novnc_secret_token rescue_password hashed_rescue_password oci_pull_secret image_server_password
      image_request_authorization_secret`.split(/\s+/)
    const longer = names.filter((name) => name !== 'configdrive').flatMap((name) => [`${name}1`, `my_${name}`])
    const shouted = names.map((name) => name.toUpperCase())

    assert.deepEqual(
      [...names, ...longer, ...shouted].filter((name) => !isSecretKey(name)),
      [],
    )
    assert.deepEqual(
      names.filter((name) => !maskText(`{"${name}": "x1"}`).includes(MASK)),
      [],
    )
  })

  it('is not one that only says something of a secret, or of something else', () => {
    const keys = [
      ...['secret_count', 'token_ttl', 'password_length', 'token_expires_at', 'rescue_password_hash_algorithm'],
      ...['author', 'auth_strategy', 'http_basic_auth_user_file', 'image_source', 'image_checksum', 'ssh_public_key'],
      ...['ipmi_username', 'key_file', 'root', 'passenger', 'bypass', 'configdrive_format'],
    ]

    assert.deepEqual(keys.filter(isSecretKey), [])
  })
})

describe('a text with secrets', () => {
  it('is shown with each of them masked', () => {
    const texts: Readonly<Record<string, string>> = {
      'http://admin:p@ss/word@bmc/ and ftp://u:p@h': 'http://admin:******@ss/word@bmc/ and ftp://u:******@h',
      'https://u:p@ss@host/x': 'https://u:******@host/x',
      'https://b.example/i?X-Amz-Signature=5f&x=1': 'https://b.example/i?X-Amz-Signature=******&x=1',
      'https://b.example/i?sv=1&sig=5f%3D&se=2': 'https://b.example/i?sv=1&sig=******&se=2',
      'https://b.example/i?temp_url_sig=5f&temp_url_expires=1':
        'https://b.example/i?temp_url_sig=******&temp_url_expires=1',
      'Authorization: Basic dTpw, Accept: x': 'Authorization: Basic ******, Accept: x',
      'cookie: session=5f; path=/': 'cookie: ****** path=/',
      'rootpwd=abc ipa-api-url=http://x quiet': 'rootpwd=****** ipa-api-url=http://x quiet',
      '{"password":"ab\\"cd","e":1}': '{"password":"******","e":1}',
      '{\\"api_key\\": \\"x y\\"}': '{\\"api_key\\": \\"******\\"}',
      "{'ipmi_password': 'it\\'s', 'ipmi_port': 623}": "{'ipmi_password': '******', 'ipmi_port': 623}",
      '{"password": 1234, "b": 1}': '{"password": ******, "b": 1}',
      '{"token": "cut off in the mid': '{"token": "******"',
    }

    assert.deepEqual(Object.fromEntries(Object.keys(texts).map((text) => [text, maskText(text)])), texts)
  })

  it('is shown as it is when a sentence only speaks of them', () => {
    const sentences = [
      'Agent token is required for heartbeat processing.',
      "Missing the following IPMI credentials in node's driver_info: ['ipmi_address'].",
      'driver_info/ipmi_password of node 1 has 21 bytes: IPMI takes at most 20.',
      'root@host: see https://docs.example/auth?page=2',
      'oci://quay.io/org/app:latest@sha256:abc',
    ]

    assert.deepEqual(sentences.filter(holdsSecret), [])
  })

  it('changes no more when it is masked already', () => {
    const once = maskText('http://u:p@h/?token=abc {"password":"x"} Authorization: Bearer abc')

    assert.equal(maskText(once), once)
    assert.equal(holdsSecret(once), false)
  })

  it('is read in one pass, whatever it is', () => {
    const began_ms = performance.now()
    for (const piece of ['password', '"password', '://a:', '\\', '"token":"', '?-', 'authorization:', '&sig', ' =']) {
      maskText(`${piece.repeat(10_000)} password=`)
    }

    assert.ok(performance.now() - began_ms < 2_000)
  })
})
