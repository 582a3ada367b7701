/// Certificates that were made for these tests: valid from 2010 to 2120, P-256, no secrets of anybody.
enum FixedCertificates {
    static let shop = """
        -----BEGIN CERTIFICATE-----
        MIIBQTCB56ADAgECAgEHMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBHNob3AwIBcN
        MTAwMTAxMDAwMDAwWhgPMjEyMDAxMDEwMDAwMDBaMA8xDTALBgNVBAMMBHNob3Aw
        WTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATxP59LeeWdwFV3PXJAOeKqbzRnX1r+
        f7hhsW6i7dOkyCKuLC5XoQZ38ciPwp0kz3SMhTFvT3Rh4rcZJVDXfDeUozIwMDAu
        BgNVHREEJzAlghBzaG9wLmV4YW1wbGUuY29tghEqLmFwaS5leGFtcGxlLmNvbTAK
        BggqhkjOPQQDAgNJADBGAiEAy5t+Z0iymxnoEb/LRcuzg1LwL//rzLwLkp5bJi7H
        wY0CIQDp64svHLp7DQb2iojvc3boeymA9zox70BnDCZPnHVGnA==
        -----END CERTIFICATE-----
        """

    static let shopKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgodPUe0MXQmlj/cHw
        NEl9BP4LqchtieaLoztaEpczGwKhRANCAATxP59LeeWdwFV3PXJAOeKqbzRnX1r+
        f7hhsW6i7dOkyCKuLC5XoQZ38ciPwp0kz3SMhTFvT3Rh4rcZJVDXfDeU
        -----END PRIVATE KEY-----
        """

    static let shopKeyWithPassphrase = """
        -----BEGIN ENCRYPTED PRIVATE KEY-----
        MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhkbNxAw17O2wICCAAw
        DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEELl7wWGpy/+RBpzMn5URxkIEgZAU
        4ExPFqf7ZkeEMsN1TiiI689HX6rtrcj2KCZVxO/eb8W9uMe2WhJa16laePKMNL7b
        JfbtLh4kJ0+5wHxgqD7nyqw7ZXnbXREX3Q2hbC6zFcmrwAoZ72MxS8HSZ9EeYivX
        vW1gjxzRaF0LgySscV6Y4NI1hllZtVqfbz9KldljaQNaVYVa0Z81ayqiQVWv8co=
        -----END ENCRYPTED PRIVATE KEY-----
        """

    static let other = """
        -----BEGIN CERTIFICATE-----
        MIIBJjCBzaADAgECAgEHMAoGCCqGSM49BAMCMBwxGjAYBgNVBAMMEU90aGVyLmV4
        YW1wbGUuY29tMCAXDTEwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAcMRow
        GAYDVQQDDBFPdGhlci5leGFtcGxlLmNvbTBZMBMGByqGSM49AgEGCCqGSM49AwEH
        A0IABL4PhfKPmIdcfWaiiGbFdfsOPdzE7MjOZRq9eC2TMd4az/DMBBrdYi/KiJEY
        8cMK6DswbYJkszw2Lx95iNKZ3DMwCgYIKoZIzj0EAwIDSAAwRQIgMlkQwPCgaCjK
        UbLYfJhbiDw4yIo03+9jTGzJ85dXeOgCIQDolbFaP24USmi4nASayt0tEROEsLyL
        e1To7DdES3Dpxw==
        -----END CERTIFICATE-----
        """

    static let otherKey = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghuO+3qCUFQXe4Jk1
        JMCfu5jrEjdAYWfxyx90lsViULyhRANCAAS+D4Xyj5iHXH1moohmxXX7Dj3cxOzI
        zmUavXgtkzHeGs/wzAQa3WIvyoiRGPHDCug7MG2CZLM8Ni8feYjSmdwz
        -----END PRIVATE KEY-----
        """
}
